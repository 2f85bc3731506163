package deletions

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheStateOfADeletionFollowsItsResponse(t *testing.T) {
	tracker := NewTracker()
	require.Equal(t, None, tracker.StateOf("a"))
	tracker.Begin("a")
	tracker.Begin("b")
	require.Equal(t, InFlight, tracker.StateOf("a"))
	tracker.End("a", true)
	tracker.End("b", false)
	require.Equal(t, Accepted, tracker.StateOf("a"))
	require.Equal(t, None, tracker.StateOf("b"), "a deletion that failed says nothing about the pod")
}

func TestTheGateOpensWhenNoDeletionIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := NewTracker()
		tracker.Wait(t.Context(), time.Hour)
		tracker.Begin("a")
		tracker.Begin("b")
		opened := make(chan struct{})
		go func() { tracker.Wait(t.Context(), time.Hour); close(opened) }()
		tracker.End("a", true)
		synctest.Wait()
		select {
		case <-opened:
			t.Fatal("the gate opened although a deletion is in flight")
		default:
		}
		tracker.End("b", false)
		<-opened
	})
}

func TestTheGateOpensAfterTheLongestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := NewTracker()
		tracker.Begin("a")
		began := time.Now()
		tracker.Wait(t.Context(), 3*time.Second)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}
