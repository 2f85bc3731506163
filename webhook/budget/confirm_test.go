package budget

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

// unstoredBecause returns how many admitted quarantines were not stored for this cause.
func (a admissions) unstoredBecause(cause Cause) int {
	return int(testutil.ToFloat64(a.unstored.WithLabelValues(string(cause))))
}

func TestAReviewOfAPodThatDoesNotExistUsesUpNoBudget(t *testing.T) {
	a := newAdmissions(t, 5)
	a.cluster.forged = sets.New[types.UID]()
	for i := range 50 {
		uid := types.UID("forged-" + strconv.Itoa(i))
		a.cluster.forged.Insert(uid)
		a.admit(uid, false)
	}
	for i := range 5 {
		require.True(t, a.admit(types.UID("real-"+strconv.Itoa(i)), false))
	}
	require.False(t, a.admit("real-5", false))
	require.Equal(t, 50, a.unstoredBecause(CauseNoSuchPod))
}

func TestAPodIsConfirmedInItsNamespaceOnly(t *testing.T) {
	a := newAdmissions(t, 5)
	for i := range 5 {
		require.True(t, a.admit(types.UID(strconv.Itoa(i)), false))
	}
	require.False(t, a.admit("over", false), "all five are confirmed")
	for i := range 5 {
		a.admitIn("victim", types.UID(strconv.Itoa(i)), false)
	}
	require.True(t, a.admitIn("victim", "real", false), "reviews with UIDs of another namespace use up no budget")
	require.Equal(t, 5, a.unstoredBecause(CauseNoSuchPod))
}

func TestNothingIsDecidedIfThePodsBecomeUnknownDuringTheReads(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", false))
	a.confirmer.exists = func(context.Context, string, string, types.UID) (bool, error) {
		a.cache = watchcache.New("pods", nil, &metav1.PartialObjectMetadata{}, a.Tracker)
		return false, nil // The budget has room again.
	}
	_, err := a.reserveIn("shop", "two", false)
	require.ErrorContains(t, err, "not read yet")
}

func TestWithinTheBudgetNothingIsRead(t *testing.T) {
	a := newAdmissions(t, 50)
	for i := range 50 {
		require.True(t, a.admit(types.UID(strconv.Itoa(i)), false))
	}
	require.Zero(t, a.cluster.reads)
	require.False(t, a.admit("over", false))
	require.Equal(t, 50, a.cluster.reads)
	require.False(t, a.admit("over", false))
	require.Equal(t, 50, a.cluster.reads, "once each")
}

func TestAPodThatCannotBeReadUsesUpNoBudget(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", false))
	a.cluster.err = errors.New("timeout")
	require.True(t, a.admit("two", false))
	a.cluster.err = nil
	require.False(t, a.admit("three", false))
}

func TestReadsAreBounded(t *testing.T) {
	a := newAdmissions(t, 1)
	a.cluster.err = errors.New("timeout")
	for i := range 3 * readsBurst {
		a.admit(types.UID(strconv.Itoa(i)), false)
	}
	require.Equal(t, readsBurst, a.cluster.reads)
}

func TestAdmittedPodsAreBounded(t *testing.T) {
	a := newAdmissions(t, 0)
	long := types.UID(strings.Repeat("u", 1<<20))
	admit := func(uid types.UID) {
		req := quarantine.Request{Time: a.clock.Now(), Old: &quarantine.Pod{Metadata: quarantine.Metadata{Namespace: "ns-" + string(uid), UID: uid}}}
		_, err := a.Reserve(t.Context(), req, false, func(quarantine.Request) quarantine.Decision {
			return quarantine.Decision{Action: quarantine.ActionQuarantine, CountsFor: long}
		})
		require.NoError(t, err)
	}
	for i := range maxAssumed + 10 {
		admit(types.UID(strconv.Itoa(i)))
	}
	require.Len(t, a.assumed.pods, maxAssumed)
	require.Len(t, a.assumed.unconfirmed.namespaces, maxAssumed)
	require.Empty(t, a.assumed.oldest().controller, "no controller has a UID of a MiB")
	require.Equal(t, 10, a.unstoredBecause(CauseTooMany))
	a.clock.Step(assumedFor)
	require.NoError(t, testutil.GatherAndCompare(registered(t, a.Tracker), strings.NewReader(`
# HELP isolate_unstored_quarantines_total Quarantines that the webhook admitted and that were not stored, by cause: the write was refused later, or the review was forged.
# TYPE isolate_unstored_quarantines_total counter
isolate_unstored_quarantines_total{cause="no_such_pod"} 0
isolate_unstored_quarantines_total{cause="not_stored"} 4096
isolate_unstored_quarantines_total{cause="too_many"} 10
`)))
}

func TestAStoredQuarantineIsNotCountedAsUnstored(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", false))
	require.NoError(t, a.cache.Add(quarantined("one", "web", start)))
	a.clock.Step(assumedFor)
	require.False(t, a.admit("two", false))
	require.Zero(t, a.unstoredBecause(CauseNotStored))
}

func registered(t *testing.T, tracker *Tracker) prometheus.Gatherer {
	t.Helper()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(tracker))
	return registry
}
