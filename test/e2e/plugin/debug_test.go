package plugin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// targeting is what kubectl debug itself says.
const targeting = "Targeting container \"web\". If you don't see processes from this container it may be because the container runtime doesn't support this feature.\n"

func TestDebugQuarantinesThenAddsAContainerThatSeesTheFirstOnesProcesses(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	require.Equal(t, result{code: 1, out: targeting, errOut: withoutTerminal}, n.isolate("debug", pod, "--image=busybox"))
	require.Equal(t, 1, n.isolate("debug", pod, "--yes", "--profile=nobody", "--image=busybox").code)
	require.Empty(t, n.pod(pod).Annotations, "a flag that is wrong changes nothing")

	out := n.done("debug", pod, "--yes", "--ttl=2h", "--image=busybox", "-c", "shell", "--", "sleep", "1d")
	require.Equal(t, targeting+"pod/"+pod+" quarantined\n  written after SPAN\n  out of 2 EndpointSlices after SPAN\n", untimed(out))
	stored := n.pod(pod)
	require.Equal(t, "2h", stored.Annotations[quarantine.TTLKey])
	require.Len(t, stored.Spec.EphemeralContainers, 1)
	container := stored.Spec.EphemeralContainers[0]
	require.Equal(t, "shell", container.Name)
	require.Equal(t, "web", container.TargetContainerName)
	require.Equal(t, []string{"sleep", "1d"}, container.Command)

	require.Equal(t, targeting, n.done("debug", "pod/"+pod, "--image=busybox", "-c", "again", "--", "sleep", "1d"), "it is quarantined already")
	require.Len(t, n.pod(pod).Spec.EphemeralContainers, 2)
}

func TestDebugOfAPodThatMayNotBeQuarantinedAddsNothing(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web"))
	limited := n.as("debugs", may("", "pods", "get", "patch"), may("", "pods/ephemeralcontainers", "patch"))
	r := limited.isolate("debug", "web", "--yes", "--image=busybox", "--", "sleep", "1d")
	require.Equal(t, 3, r.code)
	require.Empty(t, n.pod("web").Spec.EphemeralContainers)
}
