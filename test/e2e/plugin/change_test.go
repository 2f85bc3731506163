package plugin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

func TestExtendAndHoldChangeOneAnnotation(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web", gen.Labels(web)))
	n.quarantine("web", quarantine.TTLKey+"=1h")
	before := n.pod("web").Annotations[quarantine.ExpiresAtKey]

	r := n.isolate("extend", "web", "2d")
	require.Zero(t, r.code, r.errOut)
	require.Equal(t, "pod/web extended\n", r.out)
	require.Regexp(t, `^(Warning: .+\n)+$`, r.errOut)
	require.Greater(t, n.pod("web").Annotations[quarantine.ExpiresAtKey], before)
	require.Equal(t, "pod/web held\n", n.done("hold", "web"))
	require.Equal(t, "true", n.pod("web").Annotations[quarantine.HoldKey])
	require.Equal(t, "pod/web no longer held (server dry run)\n", n.done("unhold", "web", "--dry-run=server"))
	require.Equal(t, "pod/web\n", n.done("unhold", "web", "-o", "name"))
	require.NotContains(t, n.pod("web").Annotations, quarantine.HoldKey)

	r = n.isolate("extend", "web", "tomorrow")
	require.Equal(t, 3, r.code)
	require.Contains(t, r.errOut, `The Pod "web" is invalid: metadata.annotations[isolate.example.io/extend]: Invalid value: "tomorrow"`)
	require.Equal(t, result{code: 1, errOut: "error: name one pod, and how long to keep it from now, such as 2d\nSee 'kubectl isolate extend -h' for help and examples\n"},
		n.isolate("extend", "web"))
}

func TestAPodThatIsNotQuarantinedIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("free", gen.Labels(web)))
	for _, args := range [][]string{{"extend", "free", "2d"}, {"hold", "free"}, {"unhold", "free"}, {"release", "free"}} {
		require.Equal(t, result{code: 1, errOut: "error: pod/free is not quarantined, and nothing was changed. To see the pods that are: kubectl isolate list -n shop\n"},
			n.isolate(args...))
	}
	require.Empty(t, n.pod("free").Annotations)
}

func TestRemovingTheHoldOfAPodWhoseTimeIsUpAsksFirst(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web", gen.Labels(web)))
	n.quarantine("web", quarantine.TTLKey+"=1s", quarantine.HoldKey+"=true")
	n.until(func() bool { return strings.Contains(n.done("list"), "Expired") }, "the pod's time is up")
	expired := n.pod("web").Annotations[quarantine.ExpiresAtKey]
	require.Equal(t, result{code: 1, errOut: withoutTerminal}, lastLine(n.isolate("unhold", "web")))
	require.Equal(t, "true", n.pod("web").Annotations[quarantine.HoldKey])

	r := n.answering("no", "unhold", "web")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.errOut, "The time of pod/web was up at "+expired+", so isolate deletes it as soon as the hold is removed. Remove the hold? [y/N] error: nothing was changed\n")
	require.Equal(t, "true", n.pod("web").Annotations[quarantine.HoldKey])

	require.Equal(t, "pod/web no longer held\n", n.done("unhold", "web", "--yes"))
	n.until(func() bool { return n.isolate("status", "web").code == 1 }, "the pod is deleted")
}

func TestAReleaseThatMayDeleteThePodAsksFirst(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	owner := n.pod(pod).OwnerReferences[0].Name
	n.quarantine(pod)
	n.running("app=web", 1)
	n.until(func() bool { return strings.Contains(n.done("status", pod), "1 of 1 pods available") }, "the pod is replaced")
	require.Equal(t, result{code: 1, errOut: withoutTerminal}, lastLine(n.isolate("release", pod)))

	said := n.kubectl("annotate", "pod", pod, quarantine.TriggerKey+"-", "--dry-run=server")
	r := n.answering("y", "release", pod)
	require.Zero(t, r.code, r.errOut)
	require.Equal(t, "pod/"+pod+" released\n", r.out)
	shown, found := strings.CutSuffix(r.errOut, "Release pod/"+pod+" to ReplicaSet/"+owner+" (1 of 1 pods available)? [y/N] ")
	require.True(t, found, r.errOut)
	for line := range strings.Lines(shown) {
		require.Contains(t, n.general(said), "Warning: "+line)
	}

	n.createPod(gen.Pod("alone"))
	n.quarantine("alone")
	require.Equal(t, "pod/alone released\n", n.done("release", "alone"), "nobody could delete it")
	require.Empty(t, n.pod("alone").Annotations)
}

const withoutTerminal = "error: nothing was changed: this would ask first, and standard input is not a terminal; to go ahead without being asked: --yes\n"

// lastLine drops what the server says before the error.
func lastLine(r result) result {
	lines := strings.SplitAfter(r.errOut, "\n")
	r.errOut = strings.Join(lines[max(0, len(lines)-2):], "")
	return r
}
