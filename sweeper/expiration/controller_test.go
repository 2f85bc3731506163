package expiration

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/clocks"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

var (
	resource = schema.GroupResource{Resource: "pods"}
	webPod   = reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "ah", Name: "web-1"}}

	conflict = apierrors.NewConflict(resource, "web-1", errors.New("changed"))
)

// cluster has one pod or none, as the cache has it and as the API server has it. It is
// also the API server's clock.
type cluster struct {
	client.Reader
	cached, stored *metav1.PartialObjectMetadata
	responses      []error // to deletions, in order; then success
	deleting       func()  // called before each response

	deletes []metav1.DeleteOptions
	lists   int
	events  []events.Event

	local  *clocktesting.FakePassiveClock
	server time.Time
	noDate bool
}

func newCluster(pod *metav1.PartialObjectMetadata) *cluster {
	return &cluster{cached: pod, local: clocktesting.NewFakePassiveClock(gen.Noon), server: gen.Noon}
}

// Get reads from the cache.
func (c *cluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if c.cached == nil {
		return apierrors.NewNotFound(resource, key.Name)
	}
	c.cached.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

// List reads from the API server.
func (c *cluster) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	c.lists++
	if c.stored != nil {
		into.(*metav1.PartialObjectMetadataList).Items = []metav1.PartialObjectMetadata{*c.stored}
	}
	return nil
}

// Pods implements [corev1client.PodsGetter].
func (c *cluster) Pods(string) corev1client.PodInterface { return podDeleter{cluster: c} }

type podDeleter struct {
	corev1client.PodInterface
	cluster *cluster
}

func (d podDeleter) Delete(ctx context.Context, _ string, options metav1.DeleteOptions) error {
	c := d.cluster
	if c.deleting != nil {
		c.deleting()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.deletes = append(c.deletes, options)
	if len(c.responses) == 0 {
		return nil
	}
	response := c.responses[0]
	c.responses = c.responses[1:]
	return response
}

// Publish implements [events.Publisher].
func (c *cluster) Publish(event events.Event) { c.events = append(c.events, event) }

// RoundTrip responds to a request for the API server's time.
func (c *cluster) RoundTrip(*http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if !c.noDate {
		recorder.Header().Set("Date", c.server.UTC().Format(http.TimeFormat))
	}
	return recorder.Result(), nil
}

func (c *cluster) newController(t *testing.T) *controller {
	t.Helper()
	serverTime := clocks.NewServerTime(clocktesting.NewFakePassiveClock(gen.Noon))
	transport := serverTime.Wrap(c)
	registry := prometheus.NewRegistry()
	both, err := clocks.New(c.local, serverTime, func(ctx context.Context) error {
		response, err := transport.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "/version", nil))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}, registry)
	require.NoError(t, err)
	controller, err := newController(c, Options{
		Client: deletions.Client{Pods: c, Live: c}, Local: c.local, Clocks: both,
		Deletions: deletions.NewTracker(), Events: c, Metrics: registry,
	})
	require.NoError(t, err)
	return controller
}

// logged returns a context whose logger appends the messages to lines.
func logged(t *testing.T) (ctx context.Context, lines *[]string) {
	t.Helper()
	lines = new([]string)
	sink := funcr.NewJSON(func(string) {}, funcr.Options{RenderBuiltinsHook: func(pairs []any) []any {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == "msg" {
				*lines = append(*lines, pairs[i+1].(string))
			}
		}
		return pairs
	}})
	return log.IntoContext(t.Context(), logr.New(sink.GetSink())), lines
}

func TestReconcile(t *testing.T) {
	const skewed = "The local clock and the API server's clock differ; isolate deletes a pod when both have reached its expiry. Check the node's time synchronization"
	for _, test := range []struct {
		rule          string
		pod           *metav1.PartialObjectMetadata
		local, server time.Duration // after the pod's expiry
		deletes       int
		after         time.Duration
		log           []string
	}{
		{"a pod that is gone needs nothing", nil, 0, 0, 0, 0, nil},
		{"it sleeps for exactly the time that is left", gen.Pod(), -90 * time.Minute, -90 * time.Minute, 0, 90 * time.Minute, []string{logWaiting}},
		{"it sleeps for a fraction of a second", gen.Pod(), -time.Millisecond, 0, 0, time.Millisecond, []string{logWaiting}},
		{"it deletes on the second", gen.Pod(), 0, 0, 1, 0, []string{logDeleted}},
		{"a local clock an hour ahead deletes nothing early", gen.Pod(), 0, -time.Hour, 0, time.Hour, []string{skewed, logServerLate}},
		{"a local clock an hour behind deletes nothing early", gen.Pod(), -time.Hour, 0, 0, time.Hour, []string{logWaiting}},
		{"a pod that has expired by both clocks is deleted although they differ", gen.Pod(), 2 * time.Hour, time.Hour, 1, 0, []string{skewed, logDeleted}},
		{"a held pod needs no timer", gen.Pod(gen.Held()), time.Hour, time.Hour, 0, 0, []string{logHeld}},
		{"a terminating pod needs no timer", gen.Pod(gen.Terminating(gen.Noon)), time.Hour, time.Hour, 0, 0, nil},
		{"a pod whose expiry can't be true is reported", gen.Pod(gen.Created(gen.Noon.Add(30 * time.Minute))), time.Hour, time.Hour, 0, 0, []string{logImplausible}},
		{"a damaged pod is reported", gen.Pod(gen.Without(quarantine.RecordKey)), time.Hour, time.Hour, 0, 0, []string{logDamaged}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := newCluster(test.pod)
			c.local.SetTime(gen.Noon.Add(test.local))
			c.server = gen.Noon.Add(test.server)
			controller := c.newController(t)
			ctx, lines := logged(t)
			result, err := controller.Reconcile(ctx, webPod)
			require.NoError(t, err)
			require.Equal(t, reconcile.Result{RequeueAfter: test.after}, result)
			require.Len(t, c.deletes, test.deletes)
			require.Equal(t, test.log, *lines)

			_, err = controller.Reconcile(ctx, webPod)
			require.NoError(t, err)
			require.Equal(t, test.log, *lines, "the same decision is not logged again")
		})
	}
}

func TestADeletionIsOfThePodThatWasChecked(t *testing.T) {
	c := newCluster(gen.Pod())
	_, err := c.newController(t).Reconcile(t.Context(), webPod)
	require.NoError(t, err)
	require.Len(t, c.deletes, 1)
	require.EqualValues(t, "uid-1", *c.deletes[0].Preconditions.UID)
	require.Equal(t, "7", *c.deletes[0].Preconditions.ResourceVersion)
	require.Zero(t, c.lists, "no read precedes the delete")
}

func TestTheResultOfADeletion(t *testing.T) {
	refused := apierrors.NewForbidden(resource, "web-1", errors.New("not today"))
	for _, test := range []struct {
		result   DeleteResult
		response error
		want     error
		log      []string
		state    deletions.State
	}{
		{DeleteAccepted, nil, nil, []string{logDeleted}, deletions.Accepted},
		{DeleteGone, apierrors.NewNotFound(resource, "web-1"), nil, []string{logGone}, deletions.Accepted},
		{DeleteConflict, conflict, nil, []string{logConflict}, deletions.None},
		{DeleteFailed, refused, refused, nil, deletions.None},
	} {
		t.Run(string(test.result), func(t *testing.T) {
			c := newCluster(gen.Pod())
			c.responses = []error{test.response}
			controller := c.newController(t)
			ctx, lines := logged(t)
			_, err := controller.Reconcile(ctx, webPod)
			require.ErrorIs(t, err, test.want)
			require.Len(t, c.deletes, 1)
			require.InDelta(t, 1, testutil.ToFloat64(controller.metrics.deletions.WithLabelValues(string(test.result))), 0)
			require.Equal(t, test.log, *lines)
			require.Equal(t, test.result == DeleteAccepted, len(c.events) > 0, "only the replica that deletes a pod publishes it")
			require.Equal(t, test.state, controller.deletions.StateOf("uid-1"))
		})
	}
}

// With the lagging cache, the deletion would conflict until the cache has caught up.
func TestAfterAConflictThePodIsCheckedAsTheAPIServerHasIt(t *testing.T) {
	version := func(v string) gen.Option {
		return func(pod *metav1.PartialObjectMetadata) { pod.ResourceVersion = v }
	}
	for _, test := range []struct {
		rule      string
		stored    *metav1.PartialObjectMetadata
		responses []error
		versions  []string
		after     time.Duration
	}{
		{"its status changed", gen.Pod(version("8")), []error{conflict}, []string{"7", "8"}, 0},
		{"it changes faster than it can be read", gen.Pod(version("8")), []error{conflict, conflict}, []string{"7", "8"}, conflictRetry},
		{"it was held", gen.Pod(version("8"), gen.Held()), []error{conflict}, []string{"7"}, 0},
		{"it was extended", gen.Pod(version("8"), gen.Annotation(quarantine.ExpiresAtKey, "2026-03-01T13:00:00Z")), []error{conflict}, []string{"7"}, time.Hour},
		{"it was released", gen.Pod(version("8"), gen.Released()), []error{conflict}, []string{"7"}, 0},
		{"it was replaced by a pod of the same name", gen.Pod(version("8"), gen.UID("uid-2")), []error{conflict}, []string{"7"}, 0},
		{"it is gone", nil, []error{conflict}, []string{"7"}, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := newCluster(gen.Pod())
			c.stored, c.responses = test.stored, test.responses
			result, err := c.newController(t).Reconcile(t.Context(), webPod)
			require.NoError(t, err)
			require.Equal(t, test.after, result.RequeueAfter)
			var versions []string
			for _, options := range c.deletes {
				versions = append(versions, *options.Preconditions.ResourceVersion)
			}
			require.Equal(t, test.versions, versions)
		})
	}
}

func TestAPodThatWasDeletedIsNotDeletedAgainWhileTheCacheLags(t *testing.T) {
	c := newCluster(gen.Pod())
	controller := c.newController(t)
	for range 2 {
		_, err := controller.Reconcile(t.Context(), webPod)
		require.NoError(t, err)
	}
	require.Len(t, c.deletes, 1)
}

func TestADeletionThatWasSentIsFinished(t *testing.T) {
	c := newCluster(gen.Pod())
	ctx, stop := context.WithCancel(t.Context())
	controller := c.newController(t)
	c.deleting = func() {
		stop()
		require.Equal(t, deletions.InFlight, controller.deletions.StateOf("uid-1"))
	}
	_, err := controller.Reconcile(ctx, webPod)
	require.NoError(t, err)
	require.Len(t, c.deletes, 1)
}

func TestNothingIsDeletedWithoutTheServersTime(t *testing.T) {
	c := newCluster(gen.Pod())
	c.noDate = true
	_, err := c.newController(t).Reconcile(t.Context(), webPod)
	require.EqualError(t, err, "reading the API server's time: the API server's responses have no Date header, so isolate can't tell its time and deletes nothing")
	require.Empty(t, c.deletes)
}

func TestADecisionIsLoggedAgainForAnotherExpiryAndAfterThePodWasGone(t *testing.T) {
	c := newCluster(gen.Pod())
	c.local.SetTime(gen.Noon.Add(-time.Hour))
	controller := c.newController(t)
	ctx, lines := logged(t)
	for _, pod := range []*metav1.PartialObjectMetadata{gen.Pod(), gen.Pod(gen.Annotation(quarantine.ExpiresAtKey, "2026-03-01T15:00:00Z"))} {
		c.cached = pod
		_, err := controller.Reconcile(ctx, webPod)
		require.NoError(t, err)
	}
	controller.decisions.forget(gen.Pod())
	_, err := controller.Reconcile(ctx, webPod)
	require.NoError(t, err)
	require.Equal(t, []string{logWaiting, logWaiting, logWaiting}, *lines)
}

func TestTheEventOfADeletion(t *testing.T) {
	c := newCluster(gen.Pod())
	_, err := c.newController(t).Reconcile(t.Context(), webPod)
	require.NoError(t, err)
	require.Len(t, c.events, 1)
	require.Equal(t, "Expired", c.events[0].Reason)
	require.Equal(t, "Deleted: it expired at 2026-03-01T12:00:00Z. To keep a pod longer, set isolate.example.io/extend or isolate.example.io/hold=true", c.events[0].Note)
}
