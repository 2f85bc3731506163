package sweeper

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/framework/load"
	"isolate.example.io/test/gen"
)

// The load on a slow API server, and the longest lag. make soak runs with more load.
var (
	rate     = flag.Int("rate", 4, "expiries a second on the slow API server, and as many conflicts and releases")
	duration = flag.Duration("duration", 3*time.Second, "how long the slow API server is under load")
	maxLag   = flag.Duration("max-lag", 0, "longest 99th percentile of the time from a pod's expiry to its delete request, 0 for no limit")
)

// ahead is how long before their expiry pods are created, and afterwards how long after
// their release they are deleted. Pods expire at whole seconds, so the test prepares and
// removes them between two of these moments.
const ahead = 10*time.Second + 500*time.Millisecond

// expiries are the pods that expire on the slow API server.
type expiries struct {
	namespace string

	mu   sync.Mutex
	pods map[string]expiring
}

// expiring is a pod that expires. It is due at its expiry, or when it was created if that
// was later.
type expiring struct{ expires, due time.Time }

// second creates the pods that expire at a time, releases others at that time, and removes
// the released ones later, so that their number does not grow.
func (e *expiries) second(ctx context.Context, s int, at time.Time) error {
	pause(ctx, time.Until(at.Add(-ahead)))
	group, creating := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range *rate {
		for prefix, expires := range map[string]time.Time{"web": at, "conflict": at, "released": at.Add(long)} {
			name := fmt.Sprintf("%s-%d-%d", prefix, s, i)
			group.Go(func() error {
				err := admin.Create(creating, newPod(e.namespace, name, gen.Expires(expires)))
				e.created(name, expires)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	pause(ctx, time.Until(at))
	if err := e.eachReleased(s, func(name string) error { return release(ctx, e.namespace, name) }); err != nil {
		return err
	}
	pause(ctx, ahead)
	return e.eachReleased(s, func(name string) error {
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = e.namespace, name
		return admin.Delete(ctx, pod, client.GracePeriodSeconds(0))
	})
}

// eachReleased calls f with the pods that are released at a time.
func (e *expiries) eachReleased(s int, f func(name string) error) error {
	for i := range *rate {
		if err := f(fmt.Sprintf("released-%d-%d", s, i)); err != nil {
			return err
		}
	}
	return nil
}

func (e *expiries) created(name string, expires time.Time) {
	due := expires
	if now := time.Now(); now.After(due) {
		due = now
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !strings.HasPrefix(name, "released-") {
		e.pods[name] = expiring{expires, due}
	}
}

func TestDeletionsOnASlowAPIServerAreOnTime(t *testing.T) {
	e := &expiries{namespace: newNamespace(t), pods: map[string]expiring{}}
	sweeper := start(t, e.namespace, workers(100)) // As shipped.
	sweeper.network.beforeDelete(newConflicts(e.namespace).cause)
	sweeper.network.slowDown(100 * time.Millisecond)
	gone := watchDeletions(t, e.namespace)

	cpu := load.MeasureCPU()
	n, first := int(*duration/time.Second), seconds(int(ahead/time.Second)+1)
	group, ctx := errgroup.WithContext(t.Context())
	for s := range n {
		group.Go(func() error { return e.second(ctx, s, first.Add(time.Duration(s)*time.Second)) })
	}
	require.NoError(t, group.Wait())
	gone.wait(t, n**rate, "web-")
	gone.wait(t, n**rate, "conflict-")
	for name := range sweeper.network.sent("") {
		require.False(t, strings.HasPrefix(name, "released-"), name)
	}
	t.Log(cpu.Report())

	sent := sweeper.network.sent("")
	var lags []time.Duration
	for name, pod := range e.pods {
		require.False(t, sent[name].Before(pod.expires), "%s was deleted early", name)
		lags = append(lags, max(0, sent[name].Sub(pod.due)).Round(time.Millisecond))
	}
	slices.SortFunc(lags, cmp.Compare[time.Duration])
	p99 := lags[len(lags)*99/100]
	t.Logf("%d pods, %d a second of each kind: the deletion was sent after %s (median), %s (99%%), %s (last)",
		len(lags), *rate, lags[len(lags)/2], p99, lags[len(lags)-1])
	if *maxLag > 0 {
		require.LessOrEqual(t, p99, *maxLag)
	}
}
