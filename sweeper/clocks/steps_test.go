package clocks

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

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

// enqueues reports whether the tick after the clocks were set enqueues the objects, in
// every controller, and the tick after that does not.
func enqueues(t *testing.T, w *world, set func(*world)) bool {
	t.Helper()
	s := NewStepSource(w.clocks, w.elapsed, func(context.Context) ([]types.NamespacedName, error) {
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
