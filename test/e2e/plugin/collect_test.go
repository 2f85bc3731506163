package plugin

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/gen"
)

var logBytes = flag.Int64("log-bytes", 64<<20, "how large the log is with which the memory of collect is measured")

// manifest is the part of manifest.json that the tests read.
type manifest struct {
	Format    string
	Collector struct{ User, Version string }
	Cluster   struct{ Server, Version string }
	Pod       struct{ Namespace, Name, UID string }
	Files     []struct {
		Name, Source, SHA256 string
		Bytes                int64
		Cut                  bool
	}
	Missing []struct{ Name, Source, Reason, Message string }
}

// readArchive returns the files of an archive and its manifest.
func readArchive(t *testing.T, path string) (files map[string]string, m manifest) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	compressed, err := gzip.NewReader(file)
	require.NoError(t, err)
	reader := tar.NewReader(compressed)
	files = map[string]string{}
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		files[header.Name] = string(content)
	}
	require.NoError(t, json.Unmarshal([]byte(files["manifest.json"]), &m))
	return files, m
}

// deploySecretive creates an application with all kinds of containers, and with
// values that must not be collected, on a node of its own.
func (n *namespace) deploySecretive(node string) *corev1.Pod {
	n.Helper()
	_, err := admin.CoreV1().Secrets(n.name).Create(n.Context(), &corev1.Secret{ObjectMeta: gen.Meta("database"), StringData: map[string]string{"password": "swordfish"}}, metav1.CreateOptions{})
	require.NoError(n, err)
	_, err = admin.CoreV1().ConfigMaps(n.name).Create(n.Context(), &corev1.ConfigMap{ObjectMeta: gen.Meta("settings"), Data: map[string]string{"key": "swordfish"}}, metav1.CreateOptions{})
	require.NoError(n, err)
	env := []corev1.EnvVar{{Name: "PASSWORD", Value: "swordfish"}, {Name: "DATABASE", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "database"}, Key: "password"},
	}}}
	container := func(name string) corev1.Container { return corev1.Container{Name: name, Image: name + ":1", Env: env} }
	sidecar := container("proxy")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	for _, name := range []string{"web", "web-metrics"} {
		n.createService(name, map[string]string{"app": "web"})
	}
	_, err = admin.AppsV1().Deployments(n.name).Create(n.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"password":"swordfish"}`}},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: web},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: web}, Spec: corev1.PodSpec{
				NodeName: node, InitContainers: []corev1.Container{container("migrate"), sidecar}, Containers: []corev1.Container{container("web")},
			}},
		},
	}, metav1.CreateOptions{})
	require.NoError(n, err)
	pod := n.running("app=web", 1)[0]
	pod.Status.ContainerStatuses[0].RestartCount = 1
	_, err = admin.CoreV1().Pods(n.name).UpdateStatus(n.Context(), &pod, metav1.UpdateOptions{})
	require.NoError(n, err)
	return n.pod(pod.Name)
}

func TestAnArchiveHasAllEvidenceAndNoSecrets(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	kubelet := startKubelet(t, "node-"+n.name)
	pod := n.deploySecretive(kubelet.node)
	kubelet.logs = map[string]string{"web": "out of memory\n", "web.previous": "started\n", "proxy": "GET /\n"}
	n.quarantine(pod.Name)
	n.until(func() bool { return strings.Contains(n.done("status", pod.Name), "Quarantined by kubernetes-admin") }, "the event is published")
	file := filepath.Join(t.TempDir(), "evidence.tgz")

	r := n.isolate("collect", pod.Name, "-o", file)
	require.Equal(t, 5, r.code, r.errOut)
	require.Equal(t, "Warning: logs/migrate.log is not in the archive: container \"migrate\" is waiting to start\n"+
		"error: the archive is written, but not complete: manifest.json in it names what is missing\n", strings.ReplaceAll(r.errOut, "\n\n", "\n"))
	files, m := readArchive(t, file)
	owner := pod.OwnerReferences[0].Name
	names := []string{
		"endpointslices.json", "events/pod.json", "events/replicaset-" + owner + ".json", "logs/proxy.log", "logs/web.log", "logs/web.previous.log",
		"manifest.json", "networkpolicies.json", "node.json", "owners/deployment-web.json", "owners/replicaset-" + owner + ".json",
		"pod.json", "poddisruptionbudgets.json", "record.json", "services.json",
	}
	for _, name := range names {
		require.Contains(t, files, name)
	}
	require.Len(t, files, len(names))
	require.Equal(t, "out of memory\n", files["logs/web.log"])
	require.Equal(t, "started\n", files["logs/web.previous.log"])
	require.Contains(t, kubelet.asked("GET /containerLogs/")[0], "timestamps=true")
	require.Contains(t, files["pod.json"], `"managedFields"`)
	require.Contains(t, files["pod.json"], `"secretKeyRef"`)
	require.Contains(t, files["record.json"], `"quarantinedBy": "kubernetes-admin"`)
	require.Contains(t, files["events/pod.json"], `"reason": "Quarantined"`)
	require.Contains(t, files["services.json"], `"name": "web-metrics"`)
	for name, content := range files {
		require.NotContains(t, content, "swordfish", name)
	}

	require.Equal(t, "isolate.example.io/evidence/v1", m.Format)
	require.Equal(t, "kubernetes-admin", m.Collector.User)
	require.Equal(t, cluster.Config().Host, m.Cluster.Server)
	require.Equal(t, string(pod.UID), m.Pod.UID)
	missing := map[string]string{}
	for _, one := range m.Missing {
		missing[one.Name] = one.Reason
	}
	require.Equal(t, map[string]string{"logs/migrate.log": "BadRequest", "metrics.json": "NotFound"}, missing)

	require.Regexp(t, `^`+file+`: 14 files, \d+ bytes before compression, SHA-256 [0-9a-f]{64}\n$`, r.out)
	require.Regexp(t, `^`+file+`: all 14 files are as manifest.json says. Collected by kubernetes-admin from pod/`+pod.Name+` in namespace shop, from \S+Z to \S+Z\n$`,
		n.done("collect", "--verify", file))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "evidence is for its collector alone")
}

func TestEveryRefusalIsNamedInTheManifest(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	n.quarantine(pod)
	file := filepath.Join(t.TempDir(), "evidence.tgz")
	r := n.as("reads-pods", may("", "pods", "get")).isolate("collect", pod, "-o", file)
	require.Equal(t, 5, r.code)
	files, m := readArchive(t, file)
	require.Contains(t, files, "pod.json")
	owner := n.pod(pod).Labels["pod-template-hash"]
	owner = "web-" + strings.TrimPrefix(owner, "quarantined-")
	refused := map[string]string{}
	for _, one := range m.Missing {
		refused[one.Name] = one.Reason
		require.Contains(t, one.Message, `User "reads-pods" cannot`)
		require.Contains(t, r.errOut, "Warning: "+one.Name+" is not in the archive: "+n.general(one.Message))
	}
	for _, name := range []string{
		"events/pod.json", "events/replicaset-" + owner + ".json", "logs/web.log", "owners/replicaset-" + owner + ".json",
		"node.json", "services.json", "endpointslices.json", "networkpolicies.json", "poddisruptionbudgets.json", "metrics.json",
	} {
		require.Equal(t, "Forbidden", refused[name], name)
	}
}

func TestWhatAContainerMustDoIsAskedForAndItsFailureNamed(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	kubelet := startKubelet(t, "node-"+n.name)
	pod := n.deploySecretive(kubelet.node)
	kubelet.logs = map[string]string{"web": "a\n", "web.previous": "a\n", "proxy": "a\n", "migrate": "a\n"}
	file := filepath.Join(t.TempDir(), "evidence.tgz")
	r := n.isolate("collect", pod.Name, "-o", file, "--checkpoint", "--copy=web:/var/log", "--exec=web", "--", "jcmd", "1", "GC.heap_dump")
	require.Equal(t, 5, r.code, r.errOut)
	_, m := readArchive(t, file)
	asked := slices.Concat(kubelet.asked("GET /exec/"), kubelet.asked("POST /exec/")) // By WebSocket or SPDY.
	require.NotEmpty(t, asked)
	require.Contains(t, asked[0], "command=jcmd&command=1&command=GC.heap_dump")
	var missing []string
	for _, one := range m.Missing {
		if one.Reason != "NotFound" {
			missing = append(missing, one.Name)
		}
	}
	require.Equal(t, []string{"exec/web.out", "copy/web/var/log.tar", "checkpoint/web.json"}, missing)
	// The API server is no proxy to a node on loopback.
	require.Contains(t, m.Missing[len(m.Missing)-1].Message, "address not allowed")
}

func TestWhatIsTooLargeIsCutAndCalledSo(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	kubelet := startKubelet(t, "node-"+n.name)
	pod := n.deploySecretive(kubelet.node)
	kubelet.logs = map[string]string{"web.previous": "a\n", "proxy": "a\n", "migrate": "a\n"}
	kubelet.large = map[string]int64{"web": 1 << 20}
	file := filepath.Join(t.TempDir(), "evidence.tgz")
	r := n.isolate("collect", pod.Name, "-o", file, "--max-bytes=100k")
	require.Equal(t, 5, r.code, r.errOut)
	require.Contains(t, r.errOut, "Warning: logs/web.log is cut after 100000 bytes; --max-bytes and --max-total-bytes are the limits\n")
	files, m := readArchive(t, file)
	require.Len(t, files["logs/web.log"], 100_000)
	for _, one := range m.Files {
		require.Equal(t, one.Name == "logs/web.log", one.Cut, one.Name)
	}
	require.Contains(t, n.done("collect", "--verify", file), "files are as manifest.json says")
	require.Equal(t, 5, n.isolate("collect", pod.Name, "-o", file, "--max-total-bytes=100k").code)
}

func TestMemoryStaysFlatHoweverLongALogIs(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	kubelet := startKubelet(t, "node-"+n.name)
	pod := n.deploySecretive(kubelet.node)
	kubelet.logs = map[string]string{"web.previous": "a\n", "proxy": "a\n", "migrate": "a\n"}
	kubelet.large = map[string]int64{"web": *logBytes}
	cmd := n.command(t.Context(), "collect", pod.Name, "-o", "-", "--max-bytes=2Gi", "--max-total-bytes=3Gi")
	cmd.Path, cmd.Args = filepath.Join(bin, "kubectl-isolate"), append([]string{"kubectl-isolate"}, cmd.Args[2:]...) // kubectl's own memory is none of it.
	cmd.Stdout = io.Discard
	require.NoError(t, cmd.Run())
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	t.Logf("%d bytes of log: %d KiB of memory at most, in %s of CPU", *logBytes, usage.Maxrss, cmd.ProcessState.UserTime())
	require.Less(t, usage.Maxrss, int64(128<<10), "KiB")
}

func TestVerifySaysWhatDiffers(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	dir := t.TempDir()
	other := filepath.Join(dir, "other.tgz")
	require.NoError(t, os.WriteFile(other, []byte("no archive"), 0o600))
	require.Equal(t, result{code: 1, errOut: "error: " + other + " can't be verified: not a gzip file: gzip: invalid header\n"},
		n.isolate("collect", "--verify", other))
	for message, args := range map[string][]string{
		"--verify checks an archive and collects nothing: leave out the pod":                                                   {"web", "--verify", other},
		"--exec takes a command after --, and a command takes --exec: kubectl isolate collect POD --exec CONTAINER -- COMMAND": {"web", "--exec=web"},
		"--max-bytes and --max-total-bytes must be above 0, such as 256Mi":                                                     {"web", "--max-bytes=0"},
		"--copy=web: must be CONTAINER:/path":                                                                                  {"web", "--copy=web"},
	} {
		require.Equal(t, result{code: 1, errOut: "error: " + message + "\n"}, n.isolate(append([]string{"collect"}, args...)...))
	}

	n.createPod(gen.Pod("web"))
	file := filepath.Join(dir, "evidence.tgz")
	n.isolate("collect", "web", "-o", file)
	files, _ := readArchive(t, file)
	files["pod.json"] += " "
	delete(files, "node.json")
	files["planted.json"] = "{}"
	writeArchive(t, file, files)
	require.Equal(t, result{code: 1,
		out: "pod.json: has " + count(files["pod.json"]) + " bytes, not " + count(strings.TrimSuffix(files["pod.json"], " ")) + "\n" +
			"node.json: is missing\nplanted.json: is not in the manifest\n",
		errOut: "error: " + file + " is not as its manifest says: 3 differences\n"}, n.isolate("collect", "--verify", file))
}

func count(content string) string { return strconv.Itoa(len(content)) }

// writeArchive writes an archive that isolate did not write.
func writeArchive(t *testing.T, path string, files map[string]string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	compressed := gzip.NewWriter(file)
	writer := tar.NewWriter(compressed)
	for name, content := range files {
		require.NoError(t, writer.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}))
		_, err := io.WriteString(writer, content)
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	require.NoError(t, compressed.Close())
}
