package lifecycle

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// waitEvent waits for an event about an object and returns it.
func (n *namespace) waitEvent(about, reason string) eventsv1.Event {
	n.Helper()
	var found eventsv1.Event
	defer func() {
		if n.Failed() {
			screen, err := n.kubectl(nil, "get", "events,pods", "--show-labels")
			n.Log(screen, err)
		}
	}()
	n.until(func() bool {
		list, err := admin.EventsV1().Events(n.name).List(n.Context(), metav1.ListOptions{})
		require.NoError(n, err)
		i := slices.IndexFunc(list.Items, func(e eventsv1.Event) bool {
			return e.Reason == reason && e.Regarding.Kind+"/"+e.Regarding.Name == about
		})
		if i >= 0 {
			found = list.Items[i]
		}
		return i >= 0
	}, "%s has the event %s", about, reason)
	return found
}

func TestEventsOfAPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Service("web", web))
	n.create(gen.ReplicaSet("web", 1, web))
	// A ReplicaSet may delete a pod as soon as that is released, before it has an event.
	n.create(gen.Pod("free", gen.Labels(map[string]string{"app": "free"})))
	expiring, released := n.running("app=web", 1)[0].Name, n.running("app=free", 1)[0].Name

	n.quarantine(expiring, quarantine.TTLKey+"=3s")
	require.Contains(t, n.waitEvent("Pod/"+expiring, "Quarantined").Note, "Detached from Service/web, ReplicaSet/web")
	require.Contains(t, n.waitEvent("ReplicaSet/web", "Quarantined").Note, "Pod "+expiring+" was quarantined and is no longer controlled by this object; it is to start a replacement.")
	require.Contains(t, n.waitEvent("Pod/"+expiring, "ExpiresSoon").Note, "To keep it longer: kubectl annotate pod")
	require.Contains(t, n.waitEvent("Pod/"+expiring, "Expired").Note, "Deleted: it expired at")
	n.gone(expiring)

	n.quarantine(released)
	n.waitEvent("Pod/"+released, "Quarantined")
	screen, err := n.release(released)
	require.NoError(t, err, screen)
	n.waitEvent("Pod/"+released, "Released")
}

func withHostPort(set *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	set.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8099}}
	return set
}

// crashing gives a pod's container the status of a crash loop.
func (n *namespace) crashing(pod string) {
	n.Helper()
	n.unready(pod)
	_, err := admin.CoreV1().Pods(n.name).Patch(n.Context(), pod, types.StrategicMergePatchType,
		[]byte(`{"status": {"containerStatuses": [{"name": "web", "image": "web:1", "imageID": "", "ready": false, "restartCount": 3,`+
			`"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}]}}`), metav1.PatchOptions{}, "status")
	require.NoError(n, err)
}

func TestMissingReplacementEventHasTheReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		owner any
		about string
		pods  int
		quota int
		after func(n *namespace)
		says  string
	}{
		{name: "quota", owner: gen.ReplicaSet("web", 1, web), about: "ReplicaSet/web", pods: 1, quota: 1, says: "exceeded quota: pods"},
		{name: "no room", owner: withHostPort(gen.ReplicaSet("web", nodes, web)), about: "ReplicaSet/web", pods: nodes, says: "can't be scheduled: 0/3 nodes are available"},
		{name: "crash loop", owner: gen.ReplicaSet("web", 1, web), about: "ReplicaSet/web", pods: 1,
			after: func(n *namespace) { n.crashing(n.running("app=web", 1)[0].Name) }, says: "is in CrashLoopBackOff"},
		{name: "name taken", owner: gen.StatefulSet("web", web), about: "StatefulSet/web", pods: 1, says: "no replacement can start until pod web-0 is deleted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(test.owner)
			pod := n.running("app=web", test.pods)[0].Name
			if test.quota > 0 {
				n.limitPods(test.quota)
			}
			n.quarantine(pod, quarantine.ForceKey+"=true")
			if test.after != nil {
				test.after(n)
			}
			for _, about := range []string{"Pod/" + pod, test.about} {
				event := n.waitEvent(about, "ReplacementMissing")
				require.Contains(t, event.Note, test.says)
				require.Equal(t, corev1.EventTypeWarning, event.Type)
			}
			require.Positive(t, n.sweeperMetric("isolate_missing_replacements"))
		})
	}
}

// sweeperMetric returns the value of a series that the leading sweeper serves.
func (n *namespace) sweeperMetric(series string) float64 {
	n.Helper()
	for _, program := range isolated.Programs() {
		if value, ok := program.Metric(n.Context(), series); ok && program.Name == "sweeper" {
			return value
		}
	}
	n.Fatalf("no sweeper has the metric %s", series)
	return 0
}
