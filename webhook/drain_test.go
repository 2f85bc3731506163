package webhook

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	testclock "k8s.io/utils/clock/testing"
)

func TestADrainServesOnAndClosesEveryConnectionWithItsAnswer(t *testing.T) {
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	drain := &Drain{Period: 5 * time.Second, Clock: clock}
	stop, cancel := context.WithCancel(t.Context())
	ctx := drain.Context(stop)
	handler := drain.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	answer := func() *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, Path, nil))
		require.Equal(t, http.StatusTeapot, recorder.Code)
		return recorder
	}
	require.NoError(t, drain.Ready(nil))
	require.Empty(t, answer().Header().Get("Connection"))

	cancel()
	require.Eventually(t, clock.HasWaiters, time.Minute, time.Millisecond)
	require.EqualError(t, drain.Ready(nil), "stopping: new connections belong elsewhere")
	require.Equal(t, "close", answer().Header().Get("Connection"))
	require.NoError(t, ctx.Err(), "it serves on")

	clock.Step(5 * time.Second)
	<-ctx.Done()
}
