package sweeper

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

func TestClockSkewDeletesNothingEarly(t *testing.T) {
	inAWhile := func() gen.Option { return gen.Expires(time.Now().Add(long / 2)) }
	aWhileAgo := func() gen.Option { return gen.Expires(time.Now().Add(-long / 2)) }
	for _, test := range []struct {
		name    string
		prepare func(*running, *manager.Options)
		kept    gen.Option
		skew    float64
	}{
		{"the local clock is ahead", localClock(long), inAWhile(), -long.Seconds()},
		{"the local clock is behind", localClock(-long), aWhileAgo(), long.Seconds()},
		{"the server's clock is ahead", serverClock(long), inAWhile(), long.Seconds()},
		{"the server's clock is behind", serverClock(-long), aWhileAgo(), -long.Seconds()},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newNamespace(t)
			sweeper := start(t, namespace, test.prepare)
			pod := create(t, namespace, "web", test.kept)
			waitReconciled(t, namespace)
			sweeper.ticker.Ticks <- time.Now()
			eventually(t, "the skew is measured", func(context.Context) (bool, error) {
				return sweeper.metric(t, "isolate_clock_skew_seconds") != 0, nil
			})
			requireAlive(t, pod)
			require.Empty(t, sweeper.network.codes("web"))
			require.Zero(t, sweeper.metric(t, "isolate_overdue_pods"), "a pod is overdue by both clocks")
			require.InDelta(t, test.skew, sweeper.metric(t, "isolate_clock_skew_seconds"), 2)
		})
	}
}

func TestCorrectedLocalClockEnqueuesExpiredPods(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, localClock(-long))
	pod := create(t, namespace, "web", gen.Expires(time.Now().Add(-time.Second)))
	waitReconciled(t, namespace)
	requireAlive(t, pod)
	sweeper.local.Set(0)
	sweeper.ticker.Ticks <- time.Now()
	waitGone(t, pod)
	require.Equal(t, once, sweeper.network.codes("web"))
}

func TestCorrectedServerClockEnqueuesExpiredPods(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, serverClock(-long))
	pod := create(t, namespace, "web", gen.Expires(time.Now().Add(-time.Second)))
	waitReconciled(t, namespace)
	requireAlive(t, pod)
	sweeper.ticker.Ticks <- time.Now() // Measures the skew.
	sweeper.network.setServerClock(0)
	eventually(t, "the corrected clock is noticed", func(ctx context.Context) (bool, error) {
		select {
		case sweeper.ticker.Ticks <- time.Now():
		case <-ctx.Done():
		}
		alive, err := exists(ctx, pod)
		return !alive, err
	})
	require.Equal(t, once, sweeper.network.codes("web"))
}

func TestLocalClockStepsWhilePodWaits(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": long, "back": -long} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			sweeper := start(t, namespace)
			pod := create(t, namespace, "web", gen.Expires(time.Now().Add(long/2)))
			waitReconciled(t, namespace)
			sweeper.local.Set(ahead)
			sweeper.ticker.Ticks <- time.Now()
			waitReconciled(t, namespace)
			requireAlive(t, pod)
			require.Empty(t, sweeper.network.codes("web"))
		})
	}
}

// Nothing compares the clocks while the local clock is behind. Every controller judged a pod by
// it and would sleep for as long.
func TestAPodThatWasJudgedByAWrongClockIsSoonJudgedAgain(t *testing.T) {
	const ofReplicaSet = `{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"set-1","controller":true}]}`
	selector, err := labels.ParseToRequirements("app=web")
	require.NoError(t, err)
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	sweeper.selectors.Set(namespace, &quarantine.SelectingObject{
		Kind: quarantine.KindReplicaSet, Name: "web", UID: "set-1", Requirements: selector, Desired: 1,
	})
	sweeper.local.Set(-long)
	expired := create(t, namespace, "expired", gen.Expires(time.Now().Add(-time.Second)))
	expiring := create(t, namespace, "expiring", quarantinedFor(2*long), gen.Expires(time.Now().Add(2*time.Minute)))
	unreplaced := create(t, namespace, "unreplaced", gen.Annotation(quarantine.RecordKey, ofReplicaSet), quarantinedFor(5*time.Minute), gen.Expires(time.Now().Add(long)))
	waitReconciled(t, namespace)
	waitEvents(t, unreplaced, "Quarantined")
	sweeper.local.Set(0)
	waitGone(t, expired)
	waitEvents(t, expiring, "ExpiresSoon")
	waitEvents(t, unreplaced, "Quarantined", "ReplacementMissing")
}
