package plugin

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// run is a run of the plugin that has not ended.
type run struct {
	*namespace
	cmd         *exec.Cmd
	said        *bufio.Reader
	out, errOut bytes.Buffer
}

// start starts the plugin with this standard input.
func (n *namespace) start(stdin *os.File, args ...string) *run {
	n.Helper()
	r := &run{namespace: n, cmd: n.command(n.Context(), args...)}
	r.cmd.Stdout = &r.out
	if stdin != nil {
		r.cmd.Stdin = stdin
	}
	r.cmd.Env = append(r.cmd.Env, "TMPDIR="+n.temporary())
	stderr, err := r.cmd.StderrPipe()
	require.NoError(n, err)
	require.NoError(n, r.cmd.Start())
	r.said = bufio.NewReader(stderr)
	return r
}

// temporary is the folder for the temporary files of started runs.
func (n *namespace) temporary() string {
	n.Helper()
	folder := filepath.Join(filepath.Dir(n.kubeconfig), "temporary")
	require.NoError(n, os.MkdirAll(folder, 0o700))
	return folder
}

// untilSays reads standard error until it ends with this text.
func (r *run) untilSays(text string) {
	r.Helper()
	for !strings.HasSuffix(r.errOut.String(), text) {
		b, err := r.said.ReadByte()
		require.NoError(r, err, r.errOut.String())
		r.errOut.WriteByte(b)
	}
}

// interrupt does what Ctrl-C does.
func (r *run) interrupt() {
	r.Helper()
	require.NoError(r, r.cmd.Process.Signal(os.Interrupt))
}

func (r *run) end() result {
	r.Helper()
	_, err := r.said.WriteTo(&r.errOut)
	require.NoError(r, err)
	err = r.cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(r, err)
	}
	return result{out: r.general(r.out.String()), errOut: r.general(r.errOut.String()), code: r.cmd.ProcessState.ExitCode()}
}

func TestCtrlCWhileWaitingSaysThatThePodIsQuarantined(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	owner := n.pod(pod).OwnerReferences[0].Name
	_, err := admin.CoreV1().ResourceQuotas(n.name).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: gen.Meta("full"),
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	r := n.start(nil, pod, "--yes")
	r.untilSays("Waiting until a replacement of ReplicaSet/" + owner + " is Ready\n")
	r.interrupt()
	ended := r.end()
	require.Equal(t, 130, ended.code)
	require.Contains(t, ended.errOut, "error: interrupted while waiting: pod/"+pod+" is quarantined. To see what follows: kubectl isolate status -n shop "+pod+"\n")
	require.Equal(t, "true", n.pod(pod).Labels[quarantine.QuarantinedLabel])
}

func TestCtrlCLeavesNoPartOfAnArchive(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	kubelet := startKubelet(t, "node-"+n.name)
	pod := n.deploySecretive(kubelet.node)
	kubelet.setEndless("web")
	folder := t.TempDir()
	for _, test := range []struct{ output, message string }{
		{filepath.Join(folder, "evidence.tgz"), "interrupted: no archive was written"},
		{"-", "interrupted: the archive on standard output is not complete"},
	} {
		r := n.start(nil, "collect", pod.Name, "-o", test.output, "--max-bytes=1Ti", "--max-total-bytes=1Ti")
		r.untilSays("Collecting logs/web.log\n")
		r.interrupt()
		ended := r.end()
		require.Equal(t, 130, ended.code)
		require.Equal(t, "Collecting logs/web.log\nerror: "+test.message+"\n", ended.errOut)
	}
	for _, place := range []string{folder, n.temporary()} {
		left, err := os.ReadDir(place)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}
