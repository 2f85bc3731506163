package plugin

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

var (
	times     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	durations = regexp.MustCompile(`\b(\d+[dhms])+( ago)\b|\bin (\d+[dhms])+\b`)
)

// steady replaces times, which differ from run to run.
func steady(text string) string {
	return durations.ReplaceAllString(times.ReplaceAllString(text, "TIME"), "SPAN")
}

// section is the values that status prints below a name.
func section(text, name string) []string {
	var found []string
	in := false
	for line := range strings.Lines(text) {
		value := strings.TrimSpace(line)
		if rest, found := strings.CutPrefix(line, name+":"); found {
			in, value = true, strings.TrimSpace(rest)
		} else if !strings.HasPrefix(line, " ") {
			in = false
		}
		if in {
			found = append(found, value)
		}
	}
	return found
}

func TestStatusTellsThePodsStory(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(2)
	original := n.pod(pod)
	replicaSet := "ReplicaSet/" + original.OwnerReferences[0].Name
	hash := original.Labels["pod-template-hash"]
	n.quarantine(pod, quarantine.ReasonKey+"=logins hang", quarantine.TTLKey+"=2h")
	n.running("app=web", 2)
	n.until(func() bool { return strings.Contains(n.done("status", pod), "2 of 2 pods available") }, "the pod is replaced")
	n.until(func() bool { return strings.Contains(n.done("status", pod), "Quarantined by kubernetes-admin") }, "the event is published")

	story := n.done("status", "pod/"+pod)
	for name, want := range map[string][]string{
		"Name":          {pod},
		"Namespace":     {"shop"},
		"State":         {"Replaced"},
		"Quarantined":   {"TIME (SPAN) by kubernetes-admin"},
		"Reason":        {"logins hang"},
		"Expires":       {"TIME (SPAN)"},
		"Hold":          {"false"},
		"Node":          {n.pod(pod).Spec.NodeName},
		"Former Owner":  {replicaSet + " (2 of 2 pods available)"},
		"Detached From": {"Service/web", "Service/web-metrics", replicaSet},
		"Labels": {
			"app=quarantined-web (was web)",
			"pod-template-hash=quarantined-" + hash + " (was " + hash + ")",
			"release=quarantined-stable (was stable)",
		},
		"Then Selected By": {"Service/web", "Service/web-metrics", replicaSet},
	} {
		require.Equal(t, want, strings.Split(steady(strings.Join(section(story, name), "\n")), "\n"), name)
	}
	// Word for word what the server says of a release now.
	said := n.kubectl("annotate", "pod", pod, quarantine.TriggerKey+"-", "--dry-run=server")
	for _, warning := range section(story, "If Released") {
		require.Contains(t, n.general(said), "Warning: "+warning+"\n")
	}
	require.Len(t, section(story, "If Released"), strings.Count(said, "Warning: "))
	events := section(story, "Events")
	require.Equal(t, []string{"LAST", "SEEN", "TYPE", "REASON", "MESSAGE"}, strings.Fields(events[1]))
	require.Regexp(t, `(?m)^\d+s\s+Normal\s+Quarantined\s+Quarantined by kubernetes-admin`, strings.Join(events, "\n"))
}

func TestStatusOfAPodThatIsNotQuarantined(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("free"))
	require.Equal(t, "pod/free is not quarantined. To see what a quarantine would do: kubectl isolate plan -n shop free\n", n.done("status", "free"))
	require.Equal(t, result{code: 1, errOut: "Error from server (NotFound): pods \"nobody\" not found\n"}, n.isolate("status", "nobody"))
	require.Equal(t, result{code: 1, errOut: "error: isolate quarantines pods, not deployment/web: name a pod. To see the pods: kubectl get pods\n"},
		n.isolate("status", "deployment/web"))
	require.Equal(t, result{code: 1, errOut: "error: name the pod\nSee 'kubectl isolate status -h' for help and examples\n"}, n.isolate("status"))
	require.Equal(t, result{code: 1, errOut: "error: name one pod\nSee 'kubectl isolate status -h' for help and examples\n"}, n.isolate("status", "a", "b"))
}

func TestStatusSaysWhatTheCallerMayNotSee(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	n.quarantine(pod)
	limited := n.as("reads-pods", may("", "pods", "get"))
	story := limited.done("status", pod)
	forbidden := ` is forbidden: User "reads-pods" cannot `
	require.Equal(t, []string{"Unknown"}, section(story, "State"))
	require.Contains(t, section(story, "Former Owner")[0], " (unknown: replicasets.apps ")
	require.Contains(t, section(story, "Former Owner")[0], forbidden+`get resource "replicasets"`)
	require.Equal(t, []string{`would be refused: pods "` + pod + `"` + forbidden + `patch resource "pods" in API group "" in the namespace "shop"`},
		section(story, "If Released"))
	require.Equal(t, []string{`unknown: events` + forbidden + `list resource "events" in API group "" in the namespace "shop"`}, section(story, "Events"))
}

// Anyone who may annotate the pod writes the reason.
func TestAReasonCantControlTheTerminal(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web"))
	n.quarantine("web", quarantine.ReasonKey+"=logins \x1b[2Jhang\nHold: true")
	require.Equal(t, []string{"logins ^[[2Jhang", "Hold: true"}, section(n.done("status", "web"), "Reason"))
	require.Equal(t, []string{"false"}, section(n.done("status", "web"), "Hold"))
	require.Contains(t, n.done("list"), "logins ^[[2Jhang…")
}
