package lifecycle

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// escapes returns a channel with the time at which the pod's app label changes.
func (n *namespace) escapes(name string) <-chan time.Time {
	n.Helper()
	before := n.pod(name)
	changes, err := admin.CoreV1().Pods(n.name).Watch(n.Context(), metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(), ResourceVersion: before.ResourceVersion,
	})
	require.NoError(n, err)
	escaped := make(chan time.Time, 1)
	go func() {
		defer changes.Stop()
		for change := range changes.ResultChan() {
			if pod, ok := change.Object.(*corev1.Pod); ok && pod.Labels["app"] != before.Labels["app"] {
				escaped <- time.Now()
				return
			}
		}
	}()
	return escaped
}

// Nobody writes to the pod, so the leak guard has to find it.
func TestLeakGuardDetachesAgain(t *testing.T) {
	t.Parallel()
	for name, selects := range map[string]func(n *namespace){
		"service that appears": func(n *namespace) {
			n.create(gen.Service("late", map[string]string{"app": "quarantined-web"}))
		},
		"service that changes": func(n *namespace) {
			n.create(gen.Service("late", map[string]string{"app": "other"}))
			_, err := admin.CoreV1().Services(n.name).Patch(n.Context(), "late", types.MergePatchType,
				[]byte(`{"spec": {"selector": {"app": "quarantined-web"}}}`), metav1.PatchOptions{})
			require.NoError(n, err)
		},
		"replica set": func(n *namespace) {
			n.create(gen.ReplicaSet("late", 1, map[string]string{"app": "quarantined-web", "release": "quarantined-stable"}))
			n.running("app=quarantined-web", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(gen.Service("web", web))
			n.create(gen.ReplicaSet("web", 1, web))
			before := n.running("app=web", 1)[0]
			n.quarantine(before.Name)

			escaped, began := n.escapes(before.Name), time.Now()

			selects(n)

			n.until(func() bool { return len(n.selecting(n.pod(before.Name).Labels)) == 0 }, "the pod is detached again")
			t.Logf("out again after %s", (<-escaped).Sub(began).Round(time.Millisecond))
			pod := n.pod(before.Name)
			n.requireOut(pod)
			require.Contains(t, n.waitEvent("Pod/"+before.Name, "Leaked").Note, "/late started to select this quarantined pod, and isolate detached the pod again.")
			require.NotContains(t, pod.Annotations, quarantine.RecheckKey)
			status := quarantine.StatusOf(pod.Labels, pod.Annotations)
			require.Equal(t, "web", status.Record.Labels["app"], "a release restores the original")

			// Read the labels from the response: its ReplicaSet may delete the pod right after.
			screen, err := n.kubectl(nil, "annotate", "pod", before.Name, quarantine.TriggerKey+"-",
				"--output=jsonpath=labels:{.metadata.labels.app}:{.metadata.labels.release}")
			require.NoError(t, err, screen)
			require.Contains(t, screen, "labels:web:stable")
		})
	}
}

// Nothing can detach a pod from a controller that selects by isolate's own label. This
// StatefulSet adopts none of the pods, because of their names. The metric shows the leak
// until the StatefulSet is deleted.
func TestLeakThatCannotBeFixedIsReported(t *testing.T) {
	n := newNamespace(t)
	n.create(gen.Pod("web", gen.Labels(web)))
	n.running("app=web", 1)
	n.quarantine("web")
	catchAll := gen.StatefulSet("catch-all", map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue})
	catchAll.Spec.Replicas = new(int32(0))
	n.create(catchAll)
	event := n.waitEvent("Pod/web", "Leaked")
	require.Equal(t, corev1.EventTypeWarning, event.Type)
	require.Contains(t, event.Note, "StatefulSet/catch-all selects this quarantined pod, and isolate could not detach the pod.")
	require.Positive(t, n.sweeperMetric("isolate_leaking_pods"))
	_, err := n.kubectl(nil, "delete", "statefulset", "catch-all")
	require.NoError(t, err)
	n.until(func() bool { return n.sweeperMetric("isolate_leaking_pods") == 0 }, "no pod leaks any more")
}

// The webhook may not know a Service that is created at the same time.
func TestServiceCreatedDuringQuarantine(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	const rounds = 10
	app := func(i int) map[string]string {
		return map[string]string{"app": "web-" + strconv.Itoa(i), "round": "any"}
	}
	for i := range rounds {
		n.create(gen.Service("early-"+strconv.Itoa(i), map[string]string{"app": app(i)["app"]}))
		n.create(gen.Pod(app(i)["app"], gen.Labels(app(i))))
	}
	n.running("round=any", rounds)
	for i := range rounds {
		var made sync.WaitGroup
		made.Go(func() {
			late := gen.Service("late-"+strconv.Itoa(i), map[string]string{"app": "quarantined-" + app(i)["app"]})
			_, err := admin.CoreV1().Services(n.name).Create(n.Context(), late, metav1.CreateOptions{})
			assert.NoError(t, err)
		})
		n.quarantine(app(i)["app"])
		made.Wait()
	}
	for i := range rounds {
		name := app(i)["app"]
		n.until(func() bool { return len(n.selecting(n.pod(name).Labels)) == 0 }, "pod %s is detached", name)
		n.requireOut(n.pod(name))
	}
}

// The API server copies a Binding's labels onto the pod, and a policy can't tell which
// pod that is.
func TestPodRelabelledByBindingIsDetachedAgain(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Service("web", web))
	pending := gen.Pod("web", gen.Labels(web))
	pending.Spec.SchedulerName = "another"
	n.create(pending)
	n.quarantine("web")
	err := admin.CoreV1().Pods(n.name).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: web}, Target: corev1.ObjectReference{Kind: "Node", Name: "node-0"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	n.until(func() bool { return len(n.selecting(n.pod("web").Labels)) == 0 }, "the pod is detached again")
	n.requireOut(n.pod("web"))
}
