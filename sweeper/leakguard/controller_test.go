package leakguard

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

// cluster has one pod, and another in the response to a patch.
type cluster struct {
	client.Reader
	client.Writer
	cached, patched *metav1.PartialObjectMetadata
	events          []events.Event
}

func (c *cluster) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.cached.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

func (c *cluster) Patch(_ context.Context, into client.Object, _ client.Patch, _ ...client.PatchOption) error {
	c.patched.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

// Publish implements [events.Publisher].
func (c *cluster) Publish(event events.Event) { c.events = append(c.events, event) }

func labelled(pod *metav1.PartialObjectMetadata) { pod.Labels = map[string]string{"app": "web"} }

func quarantinedAndLabelled(pod *metav1.PartialObjectMetadata) { pod.Labels["app"] = "web" }

func newController(t *testing.T, c *cluster) *controller {
	t.Helper()
	index := selectors.NewIndex()
	byApp, _ := labels.SelectorFromSet(labels.Set{"app": "web"}).Requirements()
	index.Set("ah", &quarantine.SelectingObject{Kind: quarantine.KindService, Name: "web", Requirements: byApp})
	metrics, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	return &controller{cache: c, writer: c, selectors: index, clock: clocktesting.NewFakePassiveClock(gen.Noon), events: c, metrics: metrics}
}

func TestAPodThatSomethingSelectsIsDetached(t *testing.T) {
	c := &cluster{cached: gen.Pod(quarantinedAndLabelled), patched: gen.Pod()}
	guard := newController(t, c)
	_, err := guard.Reconcile(t.Context(), gen.Request)
	require.NoError(t, err)
	require.InDelta(t, 1, testutil.ToFloat64(guard.metrics.total), 0)
	require.Zero(t, testutil.ToFloat64(guard.metrics.leaking))
	require.Equal(t, []events.Event{detachedEvent(gen.Pod(), "Service/web")}, c.events)
}

func TestALeakIsRetriedAndReportedAfterTheLagOfTheWebhook(t *testing.T) {
	c := &cluster{cached: gen.Pod(quarantinedAndLabelled), patched: gen.Pod(quarantinedAndLabelled)}
	guard := newController(t, c)
	_, err := guard.Reconcile(t.Context(), gen.Request)
	require.EqualError(t, err, "the webhook has not detached the pod from what selects it: Service/web")
	require.Empty(t, c.events)
	require.InDelta(t, 1, testutil.ToFloat64(guard.metrics.leaking), 0)

	guard.clock.(*clocktesting.FakePassiveClock).SetTime(gen.Noon.Add(webhookLag))
	_, err = guard.Reconcile(t.Context(), gen.Request)
	require.Error(t, err)
	require.Equal(t, []events.Event{leakingEvent(gen.Pod(), "Service/web")}, c.events)
	require.InDelta(t, 1, testutil.ToFloat64(guard.metrics.total), 0, "it is one leak")
}

func TestARecheckThatTheWebhookDidNotSeeIsRepeatedLessAndLessOften(t *testing.T) {
	c := &cluster{patched: gen.Pod(quarantinedAndLabelled)}
	guard := newController(t, c)
	for _, step := range []struct {
		rule        string
		recheck, at time.Duration // after the leak began
		wait        time.Duration
	}{
		{"the first", 0, 0, 5 * time.Second},
		{"it has had its time", 0, 5 * time.Second, 0},
		{"the second", 5 * time.Second, 6 * time.Second, 4 * time.Second},
		{"the leak is older", 20 * time.Second, 21 * time.Second, 19 * time.Second},
		{"the leak is old", time.Hour, time.Hour, 30 * time.Second},
		{"the clock went back", time.Hour, time.Minute, 0},
	} {
		t.Run(step.rule, func(t *testing.T) {
			c.cached = gen.Pod(quarantinedAndLabelled, gen.Annotation(quarantine.RecheckKey, gen.Noon.Add(step.recheck).Format(time.RFC3339Nano)))
			guard.clock.(*clocktesting.FakePassiveClock).SetTime(gen.Noon.Add(step.at))
			result, err := guard.Reconcile(t.Context(), gen.Request)
			require.Equal(t, reconcile.Result{RequeueAfter: step.wait}, result)
			require.Equal(t, step.wait == 0, err != nil, "it is sent, and the pod is still selected")
		})
	}
}

func TestSelectingAReleasedPodIsNoLeak(t *testing.T) {
	c := &cluster{cached: gen.Pod(quarantinedAndLabelled), patched: gen.Pod(gen.Released(), labelled)}
	guard := newController(t, c)
	result, err := guard.Reconcile(t.Context(), gen.Request)
	require.NoError(t, err)
	require.Equal(t, reconcile.Result{}, result)
	require.Zero(t, testutil.ToFloat64(guard.metrics.leaking))
	require.Empty(t, c.events)
}

func TestTheNotesOfLeaks(t *testing.T) {
	for want, event := range map[string]events.Event{
		"Service/late started to select this quarantined pod, and isolate detached the pod again. " +
			"Check the selector: kubectl describe -n ah Service/late": detachedEvent(gen.Pod(), "Service/late"),
		"Service/late selects this quarantined pod, and isolate could not detach the pod. Change that selector " +
			"(kubectl edit -n ah Service/late), or check that isolate's webhook is running; isolate keeps retrying": leakingEvent(gen.Pod(), "Service/late"),
	} {
		require.Equal(t, want, event.Note)
		require.Equal(t, "Leaked", event.Reason)
	}
}
