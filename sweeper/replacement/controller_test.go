package replacement

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

// cluster has one quarantined pod. Its former controller is short for an unknown reason.
type cluster struct {
	client.Reader
	pod    *metav1.PartialObjectMetadata
	events []events.Event
}

func (c *cluster) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.pod.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

func (c *cluster) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// Publish implements [events.Publisher].
func (c *cluster) Publish(event events.Event) { c.events = append(c.events, event) }

func set(available int32) *quarantine.SelectingObject {
	return &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web", UID: "set-1", Desired: 3, Available: available}
}

func TestAControllerThatIsShortAfterTheTimeoutIsPublishedOnce(t *testing.T) {
	c := &cluster{pod: gen.Pod(gen.OfReplicaSet())}
	index := selectors.NewIndex()
	index.Set("ah", set(2))
	clk := clocktesting.NewFakePassiveClock(gen.Noon.Add(-time.Hour))
	check := newController(t, c, index, clk)
	for _, step := range []struct {
		rule    string
		after   time.Duration // the quarantine
		set     int32
		wait    time.Duration
		events  int
		missing float64
	}{
		{"the controller's status has time to change", time.Second, 3, time.Second, 0, 0},
		{"the replacement has time to start", 2 * time.Second, 2, time.Second, 0, 0},
		{"later it is checked less often", time.Minute, 2, 6 * time.Second, 0, 0},
		{"but once the time is up", 5*time.Minute - time.Second, 2, time.Second, 0, 0},
		{"then the pod and its former controller have an event", 5 * time.Minute, 2, missingRetry, 2, 1},
		{"the event is published once", 6 * time.Minute, 2, missingRetry, 2, 1},
		{"the metric follows the controller", 7 * time.Minute, 3, 0, 2, 0},
		{"a later lack of pods is not reported", 8 * time.Minute, 1, 0, 2, 0},
	} {
		clk.SetTime(gen.Noon.Add(-time.Hour + step.after))
		index.Set("ah", set(step.set))
		result, err := check.Reconcile(t.Context(), gen.Request)
		require.NoError(t, err, step.rule)
		require.Equal(t, reconcile.Result{RequeueAfter: step.wait}, result, step.rule)
		require.Len(t, c.events, step.events, step.rule)
		require.InDelta(t, step.missing, testutil.ToFloat64(check.metrics.missing), 0, step.rule)
	}
	require.Equal(t, "Pod", c.events[0].Regarding.Kind)
	require.Equal(t, "ReplicaSet", c.events[1].Regarding.Kind)
}

func newController(t *testing.T, c *cluster, index *selectors.Index, clk *clocktesting.FakePassiveClock) *controller {
	t.Helper()
	metrics, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	return &controller{cache: c, live: c, selectors: index, clock: clk, events: c, timeout: 5 * time.Minute, metrics: metrics,
		progress: map[types.NamespacedName]progress{}}
}

func TestTheTimeToTheReplacement(t *testing.T) {
	type check struct {
		after time.Duration // the quarantine
		set   *quarantine.SelectingObject
	}
	for rule, test := range map[string]struct {
		checks []check
		took   []float64
	}{
		"a fast replacement is seen at the first check":             {[]check{{time.Second, set(3)}, {2 * time.Second, set(3)}, {time.Minute, set(3)}}, []float64{2}},
		"a slow one at the check that finds it":                     {[]check{{2 * time.Second, set(2)}, {40 * time.Second, set(3)}}, []float64{40}},
		"one that was reported as missing too":                      {[]check{{6 * time.Minute, set(2)}, {7 * time.Minute, set(3)}}, []float64{420}},
		"a later lack of pods is not this quarantine's":             {[]check{{2 * time.Second, set(3)}, {30 * time.Second, set(2)}, {40 * time.Second, set(3)}}, []float64{2}},
		"a new leader can't know when an earlier one was available": {[]check{{time.Hour, set(3)}}, nil},
		"a controller that was deleted has no replacement":          {[]check{{2 * time.Second, set(2)}, {3 * time.Second, nil}}, nil},
	} {
		t.Run(rule, func(t *testing.T) {
			c := &cluster{pod: gen.Pod(gen.OfReplicaSet())}
			clk := clocktesting.NewFakePassiveClock(gen.Noon)
			index := selectors.NewIndex()
			checked := newController(t, c, index, clk)
			for _, check := range test.checks {
				clk.SetTime(gen.Noon.Add(-time.Hour + check.after))
				if check.set == nil {
					index.Delete("ah", quarantine.KindReplicaSet, "web")
				} else {
					index.Set("ah", check.set)
				}
				_, err := checked.Reconcile(t.Context(), gen.Request)
				require.NoError(t, err)
			}
			require.Equal(t, test.took, observed(t, checked.metrics.took))
		})
	}
}

// observed returns the only value that a histogram has observed, if any.
func observed(t *testing.T, histogram prometheus.Histogram) []float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, histogram.Write(&m))
	if m.GetHistogram().GetSampleCount() == 0 {
		return nil
	}
	require.EqualValues(t, 1, m.GetHistogram().GetSampleCount())
	return []float64{m.GetHistogram().GetSampleSum()}
}

func TestTheNotesOfAMissingReplacement(t *testing.T) {
	pod := gen.Pod()
	for want, got := range map[string]string{
		"ReplicaSet/web has 2 of 3 pods available, 5m0s after pod web-1 was quarantined: exceeded quota": missingEvent(
			corev1.ObjectReference{}, "", pod, set(2), 5*time.Minute, "exceeded quota").Note,
		"ReplicaSet/web has 2 of 3 pods available, 5m0s after pod web-1 was quarantined: see kubectl describe -n ah ReplicaSet/web": missingEvent(
			corev1.ObjectReference{}, "", pod, set(2), 5*time.Minute, "").Note,
		"no replacement can start until pod web-1 is deleted, because its name stays taken. " +
			"To delete it now: kubectl delete pod -n ah web-1": nameTaken(pod),
		"pod web-2 can't be scheduled: 0/3 nodes are available":                          unschedulable("web-2", "0/3 nodes are available"),
		"container app of pod web-2 is in CrashLoopBackOff; see kubectl logs --previous": containerWaiting("web-2", "app", "CrashLoopBackOff"),
		"pod web-2 is not Ready; see kubectl describe":                                   notReady("web-2"),
	} {
		require.Equal(t, want, got)
	}
}
