package clocks

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"isolate.example.io/test/framework/logs"
)

// noon is what all clocks show at first.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world has the three clocks that tests set: the elapsed time, the local clock, and the
// API server's clock, which responses carry as their Date header.
type world struct {
	elapsed *clocktesting.FakeClock
	local   *clocktesting.FakePassiveClock
	server  time.Time

	travel  time.Duration // of a request and its response
	noDate  bool
	failing error // no response
	refused error // a response with an error

	asked  int
	clocks *Clocks
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		elapsed: clocktesting.NewFakeClock(time.Unix(0, 0)),
		local:   clocktesting.NewFakePassiveClock(noon),
		server:  noon,
	}
	serverTime := NewServerTime(w.elapsed)
	transport := serverTime.Wrap(w)
	ask := func(ctx context.Context) error {
		w.asked++
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/version", nil)
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		return cmp.Or(response.Body.Close(), w.refused)
	}
	var err error
	w.clocks, err = New(w.local, serverTime, ask, prometheus.NewRegistry())
	require.NoError(t, err)
	return w
}

// RoundTrip responds as the API server does, half of the travel time after the request.
func (w *world) RoundTrip(*http.Request) (*http.Response, error) {
	if w.failing != nil {
		return nil, w.failing
	}
	recorder := httptest.NewRecorder()
	w.pass(w.travel / 2)
	if !w.noDate {
		recorder.Header().Set("Date", w.server.UTC().Format(http.TimeFormat))
	}
	w.pass(w.travel / 2)
	return recorder.Result(), nil
}

// pass advances all clocks.
func (w *world) pass(d time.Duration) {
	w.elapsed.Step(d)
	w.local.SetTime(w.local.Now().Add(d))
	w.server = w.server.Add(d)
}

func TestTheLaterMomentCounts(t *testing.T) {
	for _, test := range []struct {
		rule          string
		local, server time.Duration // after noon
		want          time.Duration
	}{
		{"both agree", 0, 0, 0},
		{"a Date header is cut to the second", 900 * time.Millisecond, 900 * time.Millisecond, 900 * time.Millisecond},
		{"the server is a little behind", 0, -time.Second, 0},
		{"the server is a little ahead", 0, 2 * time.Second, 0},
		{"the server may be 2 seconds behind", 0, -1500 * time.Millisecond, 0},
		{"the server is 3 seconds behind", 0, -3 * time.Second, -3 * time.Second},
		{"the server is 3 seconds behind, within a second", 0, -2500 * time.Millisecond, -3 * time.Second},
		{"the server is an hour behind", 0, -time.Hour, -time.Hour},
		{"the server is an hour ahead", 0, time.Hour, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			w := newWorld(t)
			w.local.SetTime(noon.Add(test.local))
			w.server = noon.Add(test.server)
			now, err := w.clocks.Reached(t.Context())
			require.NoError(t, err)
			require.Equal(t, noon.Add(test.want), now)
		})
	}
}

func TestTheEarliestServerTimeIsNeverAheadOfTheServersClock(t *testing.T) {
	for _, travel := range []time.Duration{0, 3 * time.Millisecond, 800 * time.Millisecond, 7 * time.Second} {
		for phase := time.Duration(0); phase < time.Second; phase += 50 * time.Millisecond {
			w := newWorld(t)
			w.travel, w.server = travel, noon.Add(phase)
			require.NoError(t, w.clocks.ask(t.Context()))
			for range 4 {
				w.pass(1234 * time.Millisecond)
				earliest, latest, _, ok := w.clocks.server.bounds()
				require.True(t, ok)
				require.False(t, earliest.After(w.server), "travel %s, phase %s: %s is after %s", travel, phase, earliest, w.server)
				require.True(t, latest.After(w.server), "travel %s, phase %s: %s is not after %s", travel, phase, latest, w.server)
			}
		}
	}
}

func TestSettingTheLocalClockDoesNotMoveTheServersTime(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		w := newWorld(t)
		require.NoError(t, w.clocks.ask(t.Context()))
		w.local.SetTime(noon.Add(step))
		w.pass(3 * time.Second)
		earliest, _, _, _ := w.clocks.server.bounds()
		require.Equal(t, noon.Add(3*time.Second), earliest)
		now, err := w.clocks.Reached(t.Context())
		require.NoError(t, err)
		require.Equal(t, noon.Add(min(step, 0)+3*time.Second), now, "the later moment counts")
		require.Equal(t, 1, w.asked)
	}
}

func TestTheServerIsAskedOnlyWhenItsLastResponseIsOld(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		pass  time.Duration
		asked int
	}{{0, 1}, {0, 1}, {maxAge - 1, 1}, {1, 2}, {time.Hour, 3}, {time.Second, 3}} {
		w.pass(step.pass)
		_, err := w.clocks.Reached(t.Context())
		require.NoError(t, err)
		require.Equal(t, step.asked, w.asked)
	}
}

func TestAServerClockThatIsSetBackIsDetected(t *testing.T) {
	w := newWorld(t)
	_, err := w.clocks.Reached(t.Context())
	require.NoError(t, err)
	w.server = w.server.Add(-time.Hour)
	w.pass(maxAge)
	now, err := w.clocks.Reached(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon.Add(maxAge-time.Hour), now)
}

func TestWithoutTheServersTimeNothingIsReached(t *testing.T) {
	w := newWorld(t)
	w.noDate = true
	_, err := w.clocks.Reached(t.Context())
	require.ErrorIs(t, err, errNoDate)

	w = newWorld(t)
	w.failing = errors.New("connection refused")
	_, err = w.clocks.Reached(t.Context())
	require.ErrorIs(t, err, w.failing)
}

func TestSkewIsAMetricAndIsLoggedWhenItStartsAndStops(t *testing.T) {
	w := newWorld(t)
	ctx, lines := logs.Messages(t)
	measure := func(server time.Duration) float64 {
		t.Helper()
		w.pass(maxAge)
		w.server = w.local.Now().Add(server)
		_, err := w.clocks.Reached(ctx)
		require.NoError(t, err)
		return testutil.ToFloat64(w.clocks.skew)
	}
	require.Zero(t, measure(-500*time.Millisecond))
	require.Zero(t, measure(0))
	require.Empty(t, *lines)
	require.InDelta(t, 3600, measure(time.Hour), 0.001)
	require.InDelta(t, 3600, measure(time.Hour), 0.001)
	require.Equal(t, []string{logSkewed}, *lines)
	require.InDelta(t, -3599, measure(-time.Hour), 0.001, "the second that the header leaves open does not count")
	require.Equal(t, []string{logSkewed}, *lines)
	require.Zero(t, measure(0))
	require.Equal(t, []string{logSkewed, logInSync}, *lines)
}
