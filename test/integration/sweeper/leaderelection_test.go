package sweeper

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

var crowd = flag.Int("pods", 300, "how many pods expire together")

func TestManyPodsExpireTogether(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, workers(32))
	gone := watchDeletions(t, namespace)
	at := seconds(3 + *crowd/50)
	createMany(t, namespace, "web-", *crowd, gen.Expires(at))
	if late := time.Since(at); late > 0 { // On a busy machine. Only the logged times are affected.
		t.Logf("creating the pods took %s longer than planned: the times below mean nothing", late)
	}
	createMany(t, namespace, "held-", 20, held)

	when := gone.wait(t, *crowd, "web-")
	waitReconciled(t, namespace)
	var lags []time.Duration
	for pod, moment := range when {
		require.False(t, moment.Before(at), "%s was deleted %s early", pod, at.Sub(moment))
		lags = append(lags, moment.Sub(at).Round(time.Millisecond))
	}
	slices.SortFunc(lags, cmp.Compare[time.Duration])
	t.Logf("%d pods: deleted after %s (median), %s (99%%), %s (last)", *crowd, lags[len(lags)/2], lags[len(lags)*99/100], lags[len(lags)-1])

	eachOnce(t, "web-", *crowd, sweeper.network)
	found, err := names(t.Context(), namespace)
	require.NoError(t, err)
	require.Len(t, found, 20, "held pods are alive")
}

func TestRestartDuringDeletions(t *testing.T) {
	namespace := newNamespace(t)
	one := start(t, namespace)
	gone := watchDeletions(t, namespace)
	at := seconds(2)
	createMany(t, namespace, "web-", 60, gen.Expires(at))
	createMany(t, namespace, "later-", 10, gen.Expires(at.Add(time.Second)))
	createMany(t, namespace, "held-", 5, held)
	gone.wait(t, 5, "web-")
	one.stop()
	two := start(t, namespace)
	waitCount(t, namespace, 5)
	eachOnce(t, "web-", 60, one.network, two.network)
	eachOnce(t, "later-", 10, one.network, two.network)
}

func TestStoppedLeaderReleasesTheLease(t *testing.T) {
	namespace := newNamespace(t)
	one := start(t, namespace, replica(namespace))
	<-one.elected
	two := start(t, namespace, replica(namespace))
	create(t, namespace, "held", held)
	pod := create(t, namespace, "web-1")
	waitGone(t, pod)
	require.InDelta(t, 1, one.metric(t, "isolate_held_pods"), 0)
	require.Empty(t, two.network.codes("web-1"), "only the leader deletes")
	require.InDelta(t, 0, two.metric(t, "isolate_held_pods"), 0, "only the leader counts")

	one.stop()
	next := create(t, namespace, "web-2")
	waitGone(t, next)
	eachOnce(t, "web-", 2, one.network, two.network)
	require.Equal(t, once, two.network.codes("web-2"))
}

func TestStandbyTakesOverFromPartitionedLeader(t *testing.T) {
	namespace := newNamespace(t)
	one := start(t, namespace, replica(namespace))
	<-one.elected
	two := start(t, namespace, replica(namespace))
	gone := watchDeletions(t, namespace)
	at := seconds(2)
	createMany(t, namespace, "web-", 100, gen.Expires(at))
	createMany(t, namespace, "held-", 5, held)
	gone.wait(t, 10, "web-")
	one.network.fail()
	cut := time.Now()
	select {
	case <-two.elected:
	case <-time.After(waiting.Patience):
		t.Fatal("no other replica took over")
	}
	t.Logf("taken over after %s, with a lease of %s", time.Since(cut).Round(time.Millisecond), lease)
	<-one.ended
	gone.wait(t, 100, "web-")
	require.Empty(t, gone.with("held-"))
	eachOnce(t, "web-", 100, one.network, two.network)
}

// eachOnce requires that this many pods were deleted, each by a single request.
func eachOnce(t *testing.T, prefix string, pods int, networks ...*network) {
	t.Helper()
	var counted map[string]int
	// A watch can show a deletion before its request is answered.
	eventually(t, "all deletions are answered", func(context.Context) (bool, error) {
		counted = succeeded(networks...)
		maps.DeleteFunc(counted, func(pod string, _ int) bool { return !strings.HasPrefix(pod, prefix) })
		return len(counted) >= pods, nil
	})
	require.Len(t, counted, pods)
	for pod, times := range counted {
		require.Equal(t, 1, times, pod)
	}
}
