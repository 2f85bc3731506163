package sweeper

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/gen"
)

// The load on a slow API server, and the longest lag. make soak runs with more load.
var (
	rate     = flag.Int("rate", 4, "expiries a second on the slow API server, and as many conflicts and releases")
	duration = flag.Duration("duration", 3*time.Second, "how long the slow API server is under load")
	maxLag   = flag.Duration("max-lag", 0, "longest 99th percentile of the time from a pod's expiry to its delete request, 0 for no limit")
)

// release removes everything that a quarantine added to a pod, as the webhook does.
func release(ctx context.Context, namespace, name string) error {
	const patch = `[{"op":"remove","path":"/metadata/labels"},{"op":"remove","path":"/metadata/annotations"}]`
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = namespace, name
	return admin.Patch(ctx, pod, client.RawPatch("application/json-patch+json", []byte(patch)))
}

// A release and an event cost a request each. Even if these never get a response, the only
// worker must delete every pod.
func TestDeletionsDoNotWaitForRequestsThatInformPeople(t *testing.T) {
	const released, expired = 30, 20
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	createMany(t, namespace, "released-", released, gen.Expires(time.Now().Add(long)))
	waitReconciled(t, namespace)
	resume := sweeper.network.holdInforming()
	defer resume()
	for i := range released {
		require.NoError(t, release(t.Context(), namespace, fmt.Sprint("released-", i)))
	}
	createMany(t, namespace, "web-", expired)
	waitCount(t, namespace, released)
	eachOnce(t, "web-", expired, sweeper.network)

	resume()
	eventually(t, "the releases are published", func(ctx context.Context) (bool, error) {
		count, err := countEvents(ctx, namespace, "Released")
		return count == released, err
	})
}

func TestDeletionsOnASlowAPIServerAreOnTime(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, workers(32))
	conflicts := newConflicts(namespace)
	sweeper.network.beforeDelete(conflicts.cause)
	sweeper.network.slowDown(100 * time.Millisecond)
	gone := watchDeletions(t, namespace)

	const ahead = 5 // seconds that it takes at most to create the pods of one second
	n, first := int(*duration/time.Second), seconds(ahead)
	due := map[string]time.Time{}
	group, ctx := errgroup.WithContext(t.Context())
	for s := range n {
		at := first.Add(time.Duration(s) * time.Second)
		pods, releases := map[string]time.Time{}, []string{}
		for i := range *rate {
			pods[fmt.Sprintf("web-%d-%d", s, i)] = at
			pods[fmt.Sprintf("conflict-%d-%d", s, i)] = at
			releases = append(releases, fmt.Sprintf("released-%d-%d", s, i))
			pods[releases[i]] = at.Add(long)
		}
		pause(ctx, time.Until(at.Add(-ahead*time.Second)))
		createEach(t, namespace, pods)
		for name, at := range pods {
			if !strings.HasPrefix(name, "released-") {
				due[name] = at
			}
		}
		group.Go(func() error {
			pause(ctx, time.Until(at))
			for _, name := range releases {
				if err := release(ctx, namespace, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	gone.wait(t, n**rate, "web-")
	gone.wait(t, n**rate, "conflict-")
	require.Empty(t, gone.with("released-"))

	sent := sweeper.network.sent("")
	var lags []time.Duration
	for name, at := range due {
		lag := sent[name].Sub(at)
		require.GreaterOrEqual(t, lag, time.Duration(0), name)
		lags = append(lags, lag.Round(time.Millisecond))
	}
	slices.SortFunc(lags, cmp.Compare[time.Duration])
	p99 := lags[len(lags)*99/100]
	t.Logf("%d pods, %d a second of each kind: the deletion was sent after %s (median), %s (99%%), %s (last)",
		len(lags), *rate, lags[len(lags)/2], p99, lags[len(lags)-1])
	if *maxLag > 0 {
		require.LessOrEqual(t, p99, *maxLag)
	}
}
