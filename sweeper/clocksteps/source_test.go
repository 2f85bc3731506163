package clocksteps

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/clocks"
)

// noon is what all clocks show at first.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world has the clocks that tests set: the elapsed time, the local clock, and the API
// server's clock, which responses carry as their Date header.
type world struct {
	elapsed *clocktesting.FakeClock
	local   *clocktesting.FakePassiveClock
	server  time.Time
	clocks  *clocks.Clocks
	ask     func(context.Context) error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{elapsed: clocktesting.NewFakeClock(time.Unix(0, 0)), local: clocktesting.NewFakePassiveClock(noon), server: noon}
	serverTime := clocks.NewServerTime(w.elapsed)
	transport := serverTime.Wrap(w)
	w.ask = func(ctx context.Context) error {
		response, err := transport.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "/version", nil))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	var err error
	w.clocks, err = clocks.New(w.local, serverTime, w.ask, prometheus.NewRegistry())
	require.NoError(t, err)
	return w
}

// RoundTrip responds as the API server does.
func (w *world) RoundTrip(*http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Date", w.server.UTC().Format(http.TimeFormat))
	return recorder.Result(), nil
}

// pass advances all clocks.
func (w *world) pass(d time.Duration) {
	w.elapsed.Step(d)
	w.local.SetTime(w.local.Now().Add(d))
	w.server = w.server.Add(d)
}

func TestSettingTheTimeForBothClocksEnqueuesAllObjects(t *testing.T) {
	for _, test := range []struct {
		rule string
		set  func(*world)
		want bool
	}{
		{"time passes", func(*world) {}, false},
		{"the local clock is corrected by a second", func(w *world) { w.local.SetTime(w.local.Now().Add(time.Second)) }, false},
		{"the local clock is set an hour ahead", func(w *world) { w.local.SetTime(w.local.Now().Add(time.Hour)) }, false},
		{"the server's clock is set an hour ahead", func(w *world) { w.server = w.server.Add(time.Hour) }, false},
		{"the server's clock is set an hour back", func(w *world) { w.server = w.server.Add(-time.Hour) }, true},
		{"the local clock is set an hour back", func(w *world) { w.local.SetTime(w.local.Now().Add(-time.Hour)) }, true},
		{"both are set an hour ahead", func(w *world) {
			w.local.SetTime(w.local.Now().Add(time.Hour))
			w.server = w.server.Add(time.Hour)
		}, true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			require.Equal(t, test.want, enqueues(t, newWorld(t), test.set))
		})
	}
}

func TestCorrectingALocalClockThatWasBehindEnqueuesAllObjects(t *testing.T) {
	w := newWorld(t)
	w.local.SetTime(noon.Add(-time.Hour))
	require.True(t, enqueues(t, w, func(w *world) { w.local.SetTime(w.server) }))
}

// A clock that is set right before the next comparison leaves no step to notice.
func TestAnObjectThatIsJudgedByAClockThatWasSetIsJudgedAgainAtTheNextComparison(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t)
	s := New(w.clocks, w.local, w.elapsed, func(context.Context) ([]types.NamespacedName, error) { return nil, nil })
	after := func(wait time.Duration, set func()) time.Duration {
		result, err := s.Reconciler(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			set()
			return reconcile.Result{RequeueAfter: wait}, nil
		})).Reconcile(t.Context(), reconcile.Request{})
		require.NoError(t, err)
		return result.RequeueAfter
	}
	nothing := func() {}
	setLocal := func(ahead time.Duration) func() { return func() { w.local.SetTime(w.local.Now().Add(ahead)) } }
	compare := func() {
		w.pass(stepInterval)
		require.NoError(t, s.check(t.Context()))
	}
	require.Equal(t, day, after(day, nothing))
	w.pass(time.Minute)
	require.Equal(t, day, after(day, nothing))

	require.Equal(t, stepInterval, after(day, setLocal(-day)), "after the pod was judged")
	require.Equal(t, stepInterval, after(day, nothing))
	require.Equal(t, time.Second, after(time.Second, nothing))
	require.Zero(t, after(0, nothing))
	compare() // It enqueues all objects, and will again when the clock is set back.
	require.Equal(t, day, after(day, nothing))
	require.Equal(t, stepInterval, after(day, setLocal(day)))
	require.Equal(t, stepInterval, after(day, nothing))
	compare()
	require.Equal(t, day, after(day, nothing))
	require.Equal(t, stepInterval, after(day, setLocal(-day)), "before the pod was judged")
	setLocal(day)()

	w.server = w.server.Add(-time.Hour)
	ask := func() { require.NoError(t, w.ask(t.Context())) }
	require.Equal(t, stepInterval, after(day, ask))
	compare()
	require.Equal(t, day, after(day, ask))
}

// enqueues reports whether the tick after the clocks were set enqueues the objects, in
// every controller, and the tick after that does not.
func enqueues(t *testing.T, w *world, set func(*world)) bool {
	t.Helper()
	s := New(w.clocks, w.local, w.elapsed, func(context.Context) ([]types.NamespacedName, error) {
		return []types.NamespacedName{{Namespace: "ah", Name: "web-1"}}, nil
	})
	for range 2 {
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		t.Cleanup(queue.ShutDown)
		s.addQueue(queue)
	}
	set(w)
	w.pass(stepInterval)
	require.NoError(t, s.check(t.Context()))
	enqueued := s.queues[0].Len() > 0
	w.pass(stepInterval)
	require.NoError(t, s.check(t.Context()))
	for _, queue := range s.queues {
		require.Equal(t, enqueued, queue.Len() == 1)
	}
	return enqueued
}
