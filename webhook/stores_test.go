package webhook

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

func unreadPods(clock clock.PassiveClock) *Pods {
	p := newPods(clock)
	p.informer = watchcache.New("pods", nil, &metav1.PartialObjectMetadata{}, p)
	return p
}

func readPods(t testing.TB, clock clock.PassiveClock, there ...any) *Pods {
	t.Helper()
	p := unreadPods(clock)
	require.NoError(t, p.informer.Replace(there, ""))
	return p
}

func unreadNamespaces(rules quarantine.Config, metrics *Metrics, logger logr.Logger) *Namespaces {
	n := newNamespaces(rules, logger, metrics)
	n.informer = watchcache.New("namespaces", nil, &metav1.PartialObjectMetadata{}, n)
	return n
}

func readNamespaces(t testing.TB, rules quarantine.Config, metrics *Metrics, logger logr.Logger) *Namespaces {
	t.Helper()
	n := unreadNamespaces(rules, metrics, logger)
	require.NoError(t, n.informer.Replace(nil, ""))
	return n
}

// quarantined is a pod of this controller as the API server shows it.
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

// admitting decides as a budget of so many pods of the controller web does.
type admitting struct {
	t      *testing.T
	pods   *Pods
	budget int
	clock  *testclock.FakeClock
}

func (a admitting) admit(uid types.UID, dryRun bool) bool {
	req := quarantine.Request{Time: a.clock.Now(), Old: &quarantine.Pod{Metadata: quarantine.Metadata{Namespace: "shop", UID: uid}}}
	decision, err := a.pods.Admit(req, dryRun, func(req quarantine.Request) quarantine.Decision {
		if req.Quarantined.Controlled("web") >= a.budget {
			return quarantine.Decision{Action: quarantine.ActionDeny}
		}
		return quarantine.Decision{Action: quarantine.ActionQuarantine, CountsFor: "web"}
	})
	require.NoError(a.t, err)
	return decision.Action == quarantine.ActionQuarantine
}

func newAdmitting(t *testing.T, budget int, there ...any) admitting {
	clock := testclock.NewFakeClock(start)
	return admitting{t, readPods(t, clock, there...), budget, clock}
}

func TestOfManyAtTheSameTimeNoMoreThanTheBudgetGetThrough(t *testing.T) {
	const budget, there = 5, 2
	a := newAdmitting(t, budget, quarantined("one", "web", start), quarantined("two", "web", start), quarantined("other", "api", start))
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
	require.Equal(t, budget-there, n)
}

func TestAPodCountsOnceHoweverOftenItIsAskedAbout(t *testing.T) {
	a := newAdmitting(t, 1)
	require.True(t, a.admit("one", false))
	require.True(t, a.admit("one", false), "asked again in the same admission")
	require.False(t, a.admit("two", false))
	require.NoError(t, a.pods.informer.Add(quarantined("one", "web", start)))
	require.True(t, a.admit("one", false))
	require.Equal(t, 1, a.pods.tally.others("shop", "two").All(), "reserved, and there")
	require.Zero(t, a.pods.tally.others("elsewhere", "two").All())
}

func TestADryRunReservesNothing(t *testing.T) {
	a := newAdmitting(t, 1)
	require.True(t, a.admit("one", true))
	require.True(t, a.admit("two", false))
	require.False(t, a.admit("one", true), "but it shows what would be")
}

func TestAnAdmissionThatCameToNothingIsForgotten(t *testing.T) {
	a := newAdmitting(t, 1)
	require.True(t, a.admit("one", false))
	a.clock.Step(reservation - time.Second)
	require.False(t, a.admit("two", false))
	a.clock.Step(time.Second)
	require.True(t, a.admit("two", false))
}

func TestAPodThatIsGoneOrReleasedCountsNoMore(t *testing.T) {
	a := newAdmitting(t, 1)
	require.True(t, a.admit("one", false))
	shown := quarantined("one", "web", start)
	require.NoError(t, a.pods.informer.Add(shown))
	require.Empty(t, a.pods.reserved)
	require.False(t, a.admit("two", false))
	require.NoError(t, a.pods.informer.Delete(shown))
	require.Empty(t, a.pods.names)
	require.Empty(t, a.pods.stored)
	require.Equal(t, newTally(), a.pods.tally)
	require.True(t, a.admit("two", false))
}

// The watch may still show the quarantine before: the pod was released, and is being
// quarantined again.
func TestAnEarlierQuarantineOfThePodEndsNoReservation(t *testing.T) {
	a := newAdmitting(t, 1)
	earlier := quarantined("one", "web", start.Add(-time.Minute))
	require.True(t, a.admit("one", false))
	require.NoError(t, a.pods.informer.Update(earlier))
	require.NoError(t, a.pods.informer.Delete(earlier))
	require.False(t, a.admit("two", false))
}

func TestAWholeListTakesOutThePodsItLacks(t *testing.T) {
	a := newAdmitting(t, 1, quarantined("one", "web", start))
	require.False(t, a.admit("two", false))
	require.NoError(t, a.pods.informer.Replace(nil, ""))
	require.True(t, a.admit("two", false))
}

func TestAPodOfTheSameNameTakesThePlaceOfTheOneBefore(t *testing.T) {
	a := newAdmitting(t, 2, quarantined("one", "web", start), quarantined("two", "web", start))
	again := quarantined("three", "web", start)
	again.Name = "name-of-one"
	require.NoError(t, a.pods.informer.Update(again))
	require.Equal(t, 2, a.pods.tally.others("shop", "four").All())
	require.Equal(t, 1, a.pods.tally.others("shop", "three").All())
	require.Equal(t, 2, a.pods.tally.others("shop", "one").All(), "it is gone")
}

func TestASettingIsKnownUntilItsNamespaceIsGone(t *testing.T) {
	n := readNamespaces(t, quarantine.DefaultConfig(), NewMetrics(prometheus.NewRegistry()), logr.Discard())
	settings := func() map[string]string {
		known, err := n.Settings("shop")
		require.NoError(t, err)
		return known
	}
	shop := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Annotations: map[string]string{"other": "x", quarantine.MaxTTLKey: "1h"},
	}}
	require.NoError(t, n.informer.Add(shop))
	require.Equal(t, map[string]string{quarantine.MaxTTLKey: "1h"}, settings())
	require.NoError(t, n.informer.Delete(shop))
	require.Empty(t, settings())
	require.NoError(t, n.informer.Add(shop))
	require.NoError(t, n.informer.Replace(nil, ""))
	require.Empty(t, settings())
}

func TestABadSettingIsLoggedOnceAndCountedWhileItStays(t *testing.T) {
	var lines []string
	metrics := NewMetrics(prometheus.NewRegistry())
	n := readNamespaces(t, quarantine.DefaultConfig(), metrics, funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}))
	shop := func(annotations map[string]string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: annotations}}
	}
	bad := map[string]string{quarantine.ControllerBudgetKey: "few", quarantine.DefaultTTLKey: "1h"}
	require.NoError(t, n.informer.Add(shop(bad)))
	require.NoError(t, n.informer.Update(shop(bad)))
	require.Equal(t, []string{`"msg"="A setting of the namespace can't be read, the flag's value counts" ` +
		`"error"="metadata.annotations[isolate.example.io/controller-budget]: Invalid value: \"few\": must be a whole number, 0 for no limit" ` +
		`"namespace"="shop"`}, lines, fmt.Sprint(lines))
	require.InDelta(t, 1, testutil.ToFloat64(metrics.badSettings), 0)
	require.NoError(t, n.informer.Update(shop(map[string]string{quarantine.ControllerBudgetKey: "3"})))
	require.InDelta(t, 0, testutil.ToFloat64(metrics.badSettings), 0)
}
