package events

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/sweeper/deletions"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// eventStore stores events. It answers with the given errors first, in order.
type eventStore struct {
	client.Client
	errs []error

	mu      sync.Mutex
	created []string
	asked   chan struct{}
}

func newEventStore(errs ...error) *eventStore {
	return &eventStore{errs: errs, asked: make(chan struct{}, 9)}
}

func (s *eventStore) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if len(s.errs) > 0 {
		err, s.errs = s.errs[0], s.errs[1:]
	}
	if err == nil {
		s.created = append(s.created, object.(*eventsv1.Event).Note)
	}
	s.asked <- struct{}{}
	return err
}

func newTestRecorder(t *testing.T, clk clock.PassiveClock, writer client.Writer) *Recorder {
	t.Helper()
	r, err := NewRecorder(writer, clk, Reporter{"isolate.example.io/sweeper", "sweeper-1"}, deletions.NewTracker(), prometheus.NewRegistry())
	require.NoError(t, err)
	return r
}

// start runs the recorder until the returned function is called.
func start(t *testing.T, r *Recorder) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Start(ctx) })
	return func() { cancel(); running.Wait() }
}

func event(key string) Event {
	return Event{
		Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: "ah", Name: "web-1", UID: "uid-1"},
		Type:      corev1.EventTypeNormal, Reason: "Quarantined", Note: key, DedupeKey: key,
	}
}

func TestAnEventIsCreatedOnceOrDropped(t *testing.T) {
	resource := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	terminating := apierrors.NewForbidden(resource, "e", errors.New("terminating"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	refused := errors.New("connection refused")
	for _, test := range []struct {
		rule    string
		errs    []error
		created int
		dropped float64
	}{
		{"it is created", nil, 1, 0},
		{"a failed attempt is retried", []error{refused, refused}, 1, 0},
		{"another replica has published it", []error{apierrors.NewAlreadyExists(resource, "e")}, 0, 0},
		{"its namespace is terminating", []error{terminating}, 0, 0},
		{"the sweeper may not create it", []error{apierrors.NewForbidden(resource, "e", errors.New("no"))}, 0, 1},
	} {
		t.Run(test.rule, func(t *testing.T) {
			store := newEventStore(test.errs...)
			r := newTestRecorder(t, clocktesting.NewFakePassiveClock(noon), store)
			stop := start(t, r)
			r.Publish(event("a"))
			r.Publish(event("a"))
			for range max(1, len(test.errs)+test.created) {
				<-store.asked
			}
			stop()
			require.Len(t, store.created, test.created)
			require.InDelta(t, test.dropped, testutil.ToFloat64(r.dropped), 0)
			require.Empty(t, r.pending)
		})
	}
}

func TestPendingEventsArePublishedWhenTheSweeperStops(t *testing.T) {
	store := newEventStore()
	r := newTestRecorder(t, clocktesting.NewFakePassiveClock(noon), store)
	for _, key := range []string{"a", "b", "c"} {
		r.Publish(event(key))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, r.Start(ctx))
	require.ElementsMatch(t, []string{"a", "b", "c"}, store.created)
}

func TestPendingEventsAreBounded(t *testing.T) {
	r := newTestRecorder(t, clocktesting.NewFakePassiveClock(noon), nil)
	for i := range maxPending + 3 {
		r.Publish(event(strconv.Itoa(i)))
	}
	require.Len(t, r.pending, maxPending)
	require.InDelta(t, 3, testutil.ToFloat64(r.dropped), 0)
	require.Equal(t, maxPending, r.published.Len(), "a dropped event can be published later")
}

func TestEventsWaitForDeletionsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newEventStore()
		r := newTestRecorder(t, clocktesting.NewFakePassiveClock(noon), store)
		gate := r.gate.(*deletions.Tracker)
		stop := start(t, r)
		gate.Begin("uid-2")
		r.Publish(event("a"))
		synctest.Wait()
		require.Empty(t, store.created, "a deletion is in flight")
		gate.End("uid-2", true)
		synctest.Wait()
		require.Len(t, store.created, 1)

		gate.Begin("uid-3")
		r.Publish(event("b"))
		<-time.After(createTimeout) // The bubble's time, which passes at once.
		synctest.Wait()
		require.Len(t, store.created, 2, "an event does not wait forever")
		stop()
	})
}

func TestAnEventIsPublishedAgainAfterTheAPIServerDroppedIt(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(noon)
	store := newEventStore()
	r := newTestRecorder(t, now, store)
	stop := start(t, r)
	defer stop()
	r.Publish(event("a"))
	<-store.asked
	now.SetTime(noon.Add(TTL + time.Second))
	r.Publish(event("a"))
	<-store.asked
}
