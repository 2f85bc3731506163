package clocks

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheServersTimeIsNearestToTheLocalClock(t *testing.T) {
	for _, test := range []struct {
		rule          string
		local, server time.Duration // after noon
		want          time.Duration
	}{
		{"both agree", 0, 0, 0},
		{"a Date header leaves open a second", 900 * time.Millisecond, 0, 900 * time.Millisecond},
		{"the local clock is a little behind", -100 * time.Millisecond, 0, 0},
		{"the local clock is a day behind", -24 * time.Hour, 0, 0},
		{"the local clock is a day ahead", 24 * time.Hour, 0, time.Second},
		{"the local clock is years ahead", 12 * 365 * 24 * time.Hour, 0, time.Second},
	} {
		t.Run(test.rule, func(t *testing.T) {
			w := newWorld(t)
			w.local.SetTime(noon.Add(test.local))
			w.server = noon.Add(test.server)
			require.NoError(t, w.clocks.Wait(t.Context()))
			now, err := w.clocks.Server()
			require.NoError(t, err)
			require.Equal(t, noon.Add(test.want), now)
		})
	}
}

func TestTheServersTimeIsKnownForFifteenSecondsAfterAResponse(t *testing.T) {
	w := newWorld(t)
	require.ErrorIs(t, w.clocks.Ready(nil), errNotKnown)
	require.NoError(t, w.clocks.Wait(t.Context()))
	require.NoError(t, w.clocks.Ready(nil))
	w.pass(knownFor - 1)
	require.NoError(t, w.clocks.Wait(t.Context()))
	require.Equal(t, 1, w.asked)
	w.failing = errors.New("connection refused")
	w.pass(1)
	require.ErrorIs(t, w.clocks.Ready(nil), errNotKnown)
	require.ErrorIs(t, w.clocks.Wait(t.Context()), w.failing)

	w.failing = nil
	require.NoError(t, w.clocks.Wait(t.Context()), "a webhook that was paused asks at its first admission")
	require.NoError(t, w.clocks.Ready(nil))
}

func TestARefusalTellsTheTime(t *testing.T) {
	w := newWorld(t)
	w.refused = errors.New("forbidden")
	require.NoError(t, w.clocks.Wait(t.Context()))
	require.NoError(t, w.clocks.Ready(nil))
}

func TestNobodyWaitsLongerThanTheirContextForAnothersRequest(t *testing.T) {
	w := newWorld(t)
	w.clocks.asking <- struct{}{} // A request that gets no response.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.clocks.Wait(ctx), context.Canceled)
}

func TestTheClocksAreComparedEveryFewSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = w.clocks.Start(ctx) }()
		for asked := range 4 {
			synctest.Wait()
			require.Equal(t, asked+1, w.asked)
			w.pass(askInterval)
			<-time.After(askInterval)
		}
	})
}
