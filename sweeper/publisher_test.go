package sweeper

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// eventStore takes events. It answers as told, in order, and then well.
type eventStore struct {
	client.Client
	answers []error

	mu      sync.Mutex
	created []string
	asked   chan struct{}
}

func (s *eventStore) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer error
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	if answer == nil {
		s.created = append(s.created, object.(*eventsv1.Event).Note)
	}
	s.asked <- struct{}{}
	return answer
}

func told(note string) event {
	return event{regarding: podReference(quarantined()), reason: ReasonQuarantined, note: note, once: note}
}

func TestWhatBecomesOfAnEvent(t *testing.T) {
	events := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	ending := apierrors.NewForbidden(events, "e", errors.New("ending"))
	ending.ErrStatus.Details.Causes = append(ending.ErrStatus.Details.Causes, metav1Cause(corev1.NamespaceTerminatingCause))
	for _, test := range []struct {
		rule    string
		answers []error
		created int
		failed  float64
	}{
		{"it is created", nil, 1, 0},
		{"it is tried again", []error{errors.New("connection refused"), errors.New("connection refused")}, 1, 0},
		{"another replica has told it", []error{apierrors.NewAlreadyExists(events, "e")}, 0, 0},
		{"the namespace is going", []error{ending}, 0, 0},
		{"it is not allowed", []error{apierrors.NewForbidden(events, "e", errors.New("no"))}, 0, 1},
	} {
		t.Run(test.rule, func(t *testing.T) {
			store := &eventStore{answers: test.answers, asked: make(chan struct{}, 9)}
			p := newTestPublisher(clocktesting.NewFakePassiveClock(noon), store)
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = p.Start(ctx) })
			p.publish(told("a"))
			p.publish(told("a"))
			for range max(1, len(test.answers)+test.created) {
				<-store.asked
			}
			stop()
			running.Wait()
			require.Len(t, store.created, test.created)
			require.InDelta(t, test.failed, testutil.ToFloat64(p.failed), 0)
			require.Empty(t, p.waiting)
		})
	}
}

func TestWhatIsLeftIsToldWhenTheSweeperStops(t *testing.T) {
	store := &eventStore{asked: make(chan struct{}, 9)}
	p := newTestPublisher(clocktesting.NewFakePassiveClock(noon), store)
	for _, note := range []string{"a", "b", "c"} {
		p.publish(told(note))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, p.Start(ctx))
	require.ElementsMatch(t, []string{"a", "b", "c"}, store.created)
}

func TestWhatIsToldWaitsForWhatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &eventStore{asked: make(chan struct{}, 9)}
		p := newTestPublisher(clocktesting.NewFakePassiveClock(noon), store)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Start(ctx) })
		p.first.begin()
		p.first.begin()
		p.publish(told("a"))
		p.first.end()
		synctest.Wait()
		require.Empty(t, store.created, "one is still going on")
		p.first.end()
		synctest.Wait()
		require.Len(t, store.created, 1)

		p.first.begin()
		p.publish(told("b"))
		<-time.After(eventTimeout) // By the time of the bubble, which passes at once.
		synctest.Wait()
		require.Len(t, store.created, 2, "but not forever")
		stop()
		running.Wait()
	})
}

func TestWhatTheServerHasForgottenCanBeToldAgain(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(noon)
	p := newTestPublisher(now, nil)
	p.publish(told("a"))
	now.SetTime(noon.Add(newsAge + time.Second))
	p.publish(told("b"))
	require.Len(t, p.told, 1)
}

func TestTheNameOfAnEvent(t *testing.T) {
	first, again, later := told("a"), told("a"), told("b")
	again.note = "in other words"
	require.Equal(t, first.name(), again.name(), "the same for the same event")
	require.NotEqual(t, first.name(), later.name())
	require.Regexp(t, `^web-1\.[0-9a-f]{16}$`, first.name())

	other := told("a")
	other.regarding.UID = "uid-2"
	require.NotEqual(t, first.name(), other.name(), "another pod of the same name")
	other.regarding.Name = strings.Repeat("a", 199) + ".b" + strings.Repeat("c", 50)
	require.Regexp(t, `^a{199}\.[0-9a-f]{16}$`, other.name(), "names have at most 253 characters")
	other.regarding.Name = "system:odd"
	require.Regexp(t, `^isolate\.[0-9a-f]{16}$`, other.name(), "some kinds take any name")
}

func TestAnEventIsWhatTheAPITakes(t *testing.T) {
	e := told(strings.Repeat("ä", 600))
	object := e.object(strings.Repeat("h", 200), noon)
	require.LessOrEqual(t, len(object.Note), 1024)
	require.True(t, strings.HasSuffix(object.Note, "ä…"))
	require.LessOrEqual(t, len(object.ReportingInstance), 128)
	require.Equal(t, "isolate.example.io/sweeper", object.ReportingController)
	require.Equal(t, corev1.EventTypeNormal, object.Type)
	require.Equal(t, "ah", object.Namespace)
}
