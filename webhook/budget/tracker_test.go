package budget

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	testclock "k8s.io/utils/clock/testing"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

// start is when the tests begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// quarantined returns a stored pod that counts for this controller.
func quarantined(uid, controller types.UID, at time.Time) *metav1.PartialObjectMetadata {
	record := quarantine.Record{BudgetOwner: &quarantine.BudgetOwner{UID: controller}}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "name-of-" + string(uid), UID: uid,
		Labels: map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue},
		Annotations: map[string]string{
			quarantine.QuarantinedAtKey: at.Format(time.RFC3339), quarantine.ExpiresAtKey: at.Format(time.RFC3339),
			quarantine.QuarantinedByKey: "jane", quarantine.RecordKey: record.String(),
		},
	}}
}

// admissions admits pods of the controller web within a budget.
type admissions struct {
	t *testing.T
	*Tracker
	budget  int
	clock   *testclock.FakeClock
	cluster *cluster
}

// cluster is what a live read finds.
type cluster struct {
	mu     sync.Mutex
	forged sets.Set[types.UID]
	err    error
	reads  int
}

func (c *cluster) exists(_ context.Context, namespace, name string, uid types.UID) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	return namespace == "shop" && name == "name-of-"+string(uid) && !c.forged.Has(uid), c.err
}

func (a admissions) admit(uid types.UID, dryRun bool) bool {
	return a.admitIn("shop", uid, dryRun)
}

func (a admissions) admitIn(namespace string, uid types.UID, dryRun bool) bool {
	decision, err := a.reserveIn(namespace, uid, dryRun)
	require.NoError(a.t, err)
	return decision.Action == quarantine.ActionQuarantine
}

func (a admissions) reserveIn(namespace string, uid types.UID, dryRun bool) (quarantine.Decision, error) {
	req := quarantine.Request{Time: a.clock.Now(), Old: &quarantine.Pod{Metadata: quarantine.Metadata{Namespace: namespace, Name: "name-of-" + string(uid), UID: uid}}}
	return a.Reserve(a.t.Context(), req, dryRun, func(req quarantine.Request) quarantine.Decision {
		if sum(req.Quarantined.Controlled("web")) >= a.budget {
			return quarantine.Decision{Action: quarantine.ActionDeny, Denial: &quarantine.Denial{Reason: quarantine.ReasonControllerBudget}}
		}
		return quarantine.Decision{Action: quarantine.ActionQuarantine, CountsFor: "web"}
	})
}

func newAdmissions(t *testing.T, budget int, stored ...any) admissions {
	t.Helper()
	clock := testclock.NewFakeClock(start)
	cluster := &cluster{}
	tracker := newTracker(clock, cluster.exists)
	tracker.cache = watchcache.New("pods", nil, &metav1.PartialObjectMetadata{}, tracker)
	require.NoError(t, tracker.cache.Replace(stored, ""))
	return admissions{t, tracker, budget, clock, cluster}
}

func sum(c quarantine.PodCount) int { return c.Quarantined + c.InFlight }

func TestConcurrentAdmissionsStayWithinTheBudget(t *testing.T) {
	const budget, stored = 5, 2
	a := newAdmissions(t, budget, quarantined("one", "web", start), quarantined("two", "web", start), quarantined("other", "api", start))
	through := make(chan bool, 100)
	var group sync.WaitGroup
	for i := range cap(through) {
		group.Go(func() { through <- a.admit(types.UID(strconv.Itoa(i)), false) })
	}
	group.Wait()
	close(through)
	n := 0
	for admitted := range through {
		if admitted {
			n++
		}
	}
	require.Equal(t, budget-stored, n)
}

func TestAPodCountsOnce(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", false))
	require.True(t, a.admit("one", false), "reinvoked in the same admission")
	require.False(t, a.admit("two", false))
	require.NoError(t, a.cache.Add(quarantined("one", "web", start)))
	require.True(t, a.admit("one", false))
	require.Equal(t, 1, sum(a.count("shop", "two").All()), "assumed and stored")
	require.Zero(t, sum(a.count("elsewhere", "two").All()))
}

func TestADryRunDoesNotCount(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", true))
	require.True(t, a.admit("two", false))
	require.False(t, a.admit("one", true), "but it is decided by the count")
}

// Another webhook or a policy may refuse a write that isolate has admitted.
func TestAnAdmittedPodThatIsNotStoredStopsCounting(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", false))
	require.Equal(t, quarantine.PodCount{InFlight: 1}, a.count("shop", "two").All())
	a.clock.Step(assumedFor - time.Second)
	require.False(t, a.admit("two", false))
	a.clock.Step(time.Second)
	require.True(t, a.admit("two", false))
	require.LessOrEqual(t, assumedFor, 5*time.Second, "a refused write blocks others for a few seconds at most")
}

func TestAStoredPodIsNotInFlight(t *testing.T) {
	a := newAdmissions(t, 9, quarantined("stored", "web", start))
	require.True(t, a.admit("one", false))
	require.Equal(t, quarantine.PodCount{Quarantined: 1, InFlight: 1}, a.count("shop", "new").Controlled("web"))
	require.NoError(t, a.cache.Add(quarantined("one", "web", start)))
	require.Equal(t, quarantine.PodCount{Quarantined: 2}, a.count("shop", "new").Controlled("web"))
	require.NoError(t, a.cache.Delete(quarantined("one", "web", start)))
	require.Equal(t, quarantine.PodCount{Quarantined: 1}, a.count("shop", "new").Controlled("web"))
}

func TestAReleasedOrDeletedPodStopsCounting(t *testing.T) {
	a := newAdmissions(t, 1)
	require.True(t, a.admit("one", false))
	stored := quarantined("one", "web", start)
	require.NoError(t, a.cache.Add(stored))
	require.Empty(t, a.assumed.pods)
	require.False(t, a.admit("two", false))
	require.NoError(t, a.cache.Delete(stored))
	require.Empty(t, a.uids)
	require.Equal(t, newCounter(), a.stored)
	require.Equal(t, newAssumedPods(), a.assumed)
	require.True(t, a.admit("two", false))
}

// The watch may still show the earlier quarantine of a pod that was released and is
// being quarantined again.
func TestAnEarlierQuarantineDoesNotEndTheAssumption(t *testing.T) {
	a := newAdmissions(t, 1)
	earlier := quarantined("one", "web", start.Add(-time.Minute))
	require.True(t, a.admit("one", false))
	require.NoError(t, a.cache.Update(earlier))
	require.NoError(t, a.cache.Delete(earlier))
	require.False(t, a.admit("two", false))
}

func TestAListRemovesThePodsItLacks(t *testing.T) {
	a := newAdmissions(t, 1, quarantined("one", "web", start))
	require.False(t, a.admit("two", false))
	require.NoError(t, a.cache.Replace(nil, ""))
	require.True(t, a.admit("two", false))
}

func TestAPodReplacesAnEarlierPodOfItsName(t *testing.T) {
	a := newAdmissions(t, 2, quarantined("one", "web", start), quarantined("two", "web", start))
	again := quarantined("three", "web", start)
	again.Name = "name-of-one"
	require.NoError(t, a.cache.Update(again))
	require.Equal(t, 2, sum(a.count("shop", "four").All()))
	require.Equal(t, 1, sum(a.count("shop", "three").All()))
	require.Equal(t, 2, sum(a.count("shop", "one").All()), "it is gone")
}
