package sweeper

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// onePodListed lists the pod web-1, and says so.
type onePodListed struct {
	client.Reader
}

func (onePodListed) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	into.(*metav1.PartialObjectMetadataList).Items = []metav1.PartialObjectMetadata{*quarantined()}
	return nil
}

func TestAClockThatIsSetWakesThePods(t *testing.T) {
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
			w := newWorld()
			require.Equal(t, test.want, wakes(t, w, test.set))
		})
	}
}

func TestALocalClockThatWasBehindWakesThePods(t *testing.T) {
	w := newWorld()
	w.local.SetTime(noon.Add(-time.Hour))
	require.True(t, wakes(t, w, func(w *world) { w.local.SetTime(w.server) }))
}

// wakes tells whether the pods are woken, in every controller, by the tick after the
// clocks were set.
func wakes(t *testing.T, w *world, set func(*world)) bool {
	t.Helper()
	s := newSteps(w.clocks, w.elapsed, onePodListed{})
	for range 2 {
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		t.Cleanup(queue.ShutDown)
		s.join(queue)
	}
	set(w)
	w.pass(stepInterval)
	require.NoError(t, s.look(t.Context()))
	woken := s.queues[0].Len() > 0
	w.pass(stepInterval)
	require.NoError(t, s.look(t.Context()))
	for _, queue := range s.queues {
		require.Equal(t, woken, queue.Len() == 1)
	}
	return woken
}
