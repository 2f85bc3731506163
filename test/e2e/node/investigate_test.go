//go:build linux

package node

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/test/framework/node"
)

// investigate uses everything that people look into a pod with.
func (n *namespace) investigate(pod string) {
	n.Helper()
	require.Equal(n, "evidence", n.get(pod, "/value"), "the value is still in the process' memory")
	require.Contains(n, n.exec(pod, "ps"), "/bin/workload serve")
	require.Contains(n, n.kubectl("logs", pod), "serving as "+pod)
	require.Equal(n, "evidence", n.forwarded(pod))
	file := filepath.Join(n.TempDir(), "hostname")
	n.kubectl("cp", pod+":etc/hostname", file)
	content, err := os.ReadFile(file)
	require.NoError(n, err)
	require.Equal(n, pod, strings.TrimSpace(string(content)))
	require.Zero(n, n.pod(pod).Status.ContainerStatuses[0].RestartCount)
}

// forwarded asks for the value through kubectl port-forward.
func (n *namespace) forwarded(pod string) string {
	n.Helper()
	cmd := n.command(n.Context(), "port-forward", "pod/"+pod, ":8080")
	out, err := cmd.StdoutPipe()
	require.NoError(n, err)
	require.NoError(n, cmd.Start())
	defer func() {
		require.NoError(n, cmd.Process.Kill())
		_ = cmd.Wait() // It was killed.
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(n, err)
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	require.NotEmpty(n, address, line)
	return request(n.Context(), &http.Client{}, "http://"+address+"/value")
}

func TestAQuarantinedPodCanBeInvestigated(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(2)[0].Name
	n.post(pod, "/value/evidence")
	n.investigate(pod)
	// Until the quota is gone, there is no replacement.
	n.kubectl("create", "quota", "full", "--hard=pods=2")
	n.kubectl("wait", "quota/full", "--for=jsonpath={.status.used.pods}=2")
	n.quarantine(pod)
	n.investigate(pod)
	require.Len(t, n.ready("app=web", 1), 1)
	n.kubectl("delete", "quota", "full")
	n.ready("app=web", 2)
	n.investigate(pod)
}

func TestAnEphemeralContainerSeesTheProcessesOfAQuarantinedPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1)[0].Name
	n.post(pod, "/value/evidence")
	n.quarantine(pod)
	n.kubectl("debug", pod, "--image="+node.WorkloadImage, "--target=web", "--container=shell", "--profile=general", "--", "sh", "-c", "ps; cat /proc/1/root/etc/hostname; exec workload send http://127.0.0.1:8080")
	n.until(func() bool {
		log, err := n.try("logs", pod, "--container=shell")
		return err == nil && strings.Contains(log, "workload serve") && strings.Contains(log, pod+"\n")
	}, "the ephemeral container lists the server's process and reads its files")
	require.Equal(t, "evidence", n.get(pod, "/value"))
	require.Zero(t, n.pod(pod).Status.ContainerStatuses[0].RestartCount)
}

// A quarantine doesn't stop probes. The answer says so.
func TestALivenessProbeStillRestartsAQuarantinedPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1, withLiveness)[0].Name
	n.post(pod, "/value/evidence")
	answer, _ := n.quarantine(pod)
	require.Contains(t, answer, "Its liveness probe still restarts the container, which loses what is in memory.")
	n.post(pod, "/fault/unhealthy")
	n.until(func() bool {
		status := n.pod(pod).Status.ContainerStatuses[0]
		return status.RestartCount == 1 && status.Ready
	}, "the container is restarted once")
	require.Empty(t, n.get(pod, "/value"), "its memory is lost")
	require.Contains(t, n.kubectl("logs", pod, "--previous"), "fault: unhealthy")
}

// A container that uses up its memory is restarted as well, in the same pod.
func TestAPodThatLeaksIsRestartedAndStaysQuarantined(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1, withMemoryLimit)[0]
	n.quarantine(pod.Name)
	n.post(pod.Name, "/fault/leak")
	direct := "http://" + pod.Status.PodIP + ":8080"
	n.until(func() bool {
		request(n.Context(), http.DefaultClient, direct)
		status := n.pod(pod.Name).Status.ContainerStatuses[0]
		return status.RestartCount == 1 && status.LastTerminationState.Terminated.Reason == "OOMKilled"
	}, "the kernel ends the container")
	require.True(t, quarantined(n.pod(pod.Name)))
}

func quarantined(pod *corev1.Pod) bool {
	return pod.Labels["isolate.example.io/quarantined"] == "true" && len(pod.OwnerReferences) == 0
}
