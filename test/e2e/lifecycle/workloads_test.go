package lifecycle

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

var web = map[string]string{"app": "web", "release": "stable"}

// nodes is the number of nodes of the control plane.
const nodes = 3

func TestPodOfAnyControllerIsReplaced(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		owner   any
		pods    int
		starts  string // the controller that the warning names as starting a replacement
		without bool   // a pod without a controller is not replaced
	}{
		{name: "deployment", owner: gen.Deployment("web", 2, web), pods: 2, starts: "ReplicaSet/web-"},
		{name: "replica set", owner: gen.ReplicaSet("web", 2, web), pods: 2, starts: "ReplicaSet/web"},
		{name: "replication controller", owner: gen.ReplicationController("web", 2, web), pods: 2, starts: "ReplicationController/web"},
		{name: "daemon set", owner: gen.DaemonSet("web", web), pods: nodes, starts: "DaemonSet/web"},
		{name: "job", owner: gen.Job("web", web), pods: 1, starts: "Job/web"},
		{name: "no controller", owner: gen.Pod("web", gen.Labels(web)), pods: 1, without: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(gen.Service("web", web))
			n.create(test.owner)
			broken := n.running("app=web", test.pods)[0]
			n.serves("web", test.pods, "")

			stored, screen := n.quarantine(broken.Name)

			n.requireOut(stored)
			replaced := test.pods
			if test.without {
				replaced--
				require.Contains(t, screen, "no replacement")
			} else {
				require.Contains(t, screen, test.starts)
			}
			require.Contains(t, screen, "Service/web")
			for _, pod := range n.running("app=web", replaced) {
				require.NotEqual(t, broken.UID, pod.UID)
			}
			n.serves("web", replaced, broken.Name)
			now := n.pod(broken.Name)
			require.Equal(t, broken.UID, now.UID)
			require.Equal(t, corev1.PodRunning, now.Status.Phase)
			n.requireOut(now)
		})
	}
}

func TestPodLeavesEveryService(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	labels := map[string]string{"app": "web", "release": "stable", "track": "canary", "metrics": "scraped", "team": "a"}
	n.create(gen.Service("by-app", map[string]string{"app": "web"}))
	n.create(gen.Service("by-two", map[string]string{"app": "web", "release": "stable"}))
	n.create(gen.HeadlessService("by-track", map[string]string{"track": "canary"}))
	n.create(gen.Service("by-metrics", map[string]string{"metrics": "scraped"}))
	n.create(gen.Service("by-nothing", nil))
	n.create(gen.Service("other", map[string]string{"app": "other"}))
	n.create(gen.Deployment("web", 3, labels))
	broken := n.running("app=web", 3)[0]
	services := []string{"by-app", "by-two", "by-track", "by-metrics"}
	for _, name := range services {
		n.serves(name, 3, "")
	}

	stored, _ := n.quarantine(broken.Name)

	n.requireOut(stored)
	require.Equal(t, "quarantined-canary", stored.Labels["track"])
	require.Equal(t, "quarantined-a", stored.Labels["team"], "the ReplicaSet selects by it")
	for _, name := range services {
		n.serves(name, 3, broken.Name)
	}
}

func TestUnselectedLabelsAreKept(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Service("web", map[string]string{"app": "web"}))
	n.create(gen.Pod("web", gen.Labels(map[string]string{"app": "web", "team": "payments"})))

	stored, _ := n.quarantine("web")

	require.Equal(t, map[string]string{
		"app": "quarantined-web", "team": "payments", quarantine.QuarantinedLabel: quarantine.QuarantinedValue,
	}, stored.Labels)
}

func TestSelectorExpressions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		labels      map[string]string
		expressions []metav1.LabelSelectorRequirement
	}{
		{"in", map[string]string{"app": "web"}, []metav1.LabelSelectorRequirement{gen.Requirement("app", metav1.LabelSelectorOpIn, "web", "api")}},
		{"exists", map[string]string{"app": "web"}, []metav1.LabelSelectorRequirement{gen.Requirement("app", metav1.LabelSelectorOpExists)}},
		{"in and notin", map[string]string{"app": "web"}, []metav1.LabelSelectorRequirement{
			gen.Requirement("app", metav1.LabelSelectorOpIn, "web"), gen.Requirement("track", metav1.LabelSelectorOpNotIn, "canary"),
		}},
		{"in and doesNotExist", map[string]string{"app": "web"}, []metav1.LabelSelectorRequirement{
			gen.Requirement("app", metav1.LabelSelectorOpIn, "web"), gen.Requirement("canary", metav1.LabelSelectorOpDoesNotExist),
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(gen.ReplicaSet("web", 2, test.labels, test.expressions...))
			broken := n.running("app=web", 2)[0]
			stored, _ := n.quarantine(broken.Name)
			n.requireOut(stored)
			for _, pod := range n.running("app=web", 2) {
				require.NotEqual(t, broken.UID, pod.UID)
			}
			n.requireOut(n.pod(broken.Name))
		})
	}
}

// Rewriting a label can make other selectors match that did not match before.
func TestSelectorsThatMatchRewrittenLabels(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.ReplicaSet("web", 1, web))
	broken := n.running("app=web", 1)[0]
	// Both select pods whose app label is not one of theirs.
	notIn := map[string]string{"app": "late", "release": "quarantined-stable"}
	n.create(gen.ReplicaSet("late", 0, notIn,
		gen.Requirement("app", metav1.LabelSelectorOpNotIn, "web"), gen.Requirement("release", metav1.LabelSelectorOpExists)))
	n.create(gen.Service("caught", map[string]string{"app": "quarantined-web"}))

	stored, _ := n.quarantine(broken.Name)

	n.requireOut(stored)
	require.Equal(t, "web", stored.Labels["app"], "another value would be selected")
	n.running("release=stable", 1)
	n.requireOut(n.pod(broken.Name))
}

func TestBudgetForAllPodsIsReported(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(&policyv1.PodDisruptionBudget{ObjectMeta: gen.Meta("all"), Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{}}})
	n.create(gen.Pod("web", gen.Labels(web)))
	stored, screen := n.quarantine("web")
	n.requireOut(stored)
	require.Contains(t, screen, "PodDisruptionBudget/all")
}

func TestLongLabelValuesAreRewrittenToValidOnes(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	long, longest := strings.Repeat("a", 55), strings.Repeat("b", 63)
	labels := map[string]string{"app": "web", "long": long, "longest": longest, "empty": ""}
	n.create(gen.ReplicaSet("web", 1, labels))
	n.create(gen.Service("web", labels))
	broken := n.running("app=web", 1)[0]

	stored, _ := n.quarantine(broken.Name)

	n.requireOut(stored)
	require.Len(t, stored.Labels["longest"], 63)
	require.True(t, strings.HasPrefix(stored.Labels["long"], "quarantined-aaa"), stored.Labels["long"])
	require.Equal(t, "quarantined", stored.Labels["empty"])
	n.running("app=web", 1)
}
