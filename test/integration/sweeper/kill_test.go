package sweeper

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/gen"
)

// seed determines when the sweeper is killed. Each run logs it, so that a failed run can be
// repeated.
var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the moments at which the sweeper is killed")

// kills is how often a test kills the sweeper.
const kills = 6

func random(t *testing.T) *rand.Rand {
	t.Helper()
	t.Logf("to repeat this run: -seed=%d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}

// pause waits for d, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// population describes a few hundred pods. Some expire one after the other; the others are
// held or extended and must be kept.
type population struct {
	expiring, kept int
	first, last    time.Time
	due            map[string]time.Time
}

// populate creates the pods.
func populate(t *testing.T, namespace string) *population {
	t.Helper()
	p := &population{expiring: 300, kept: 30, first: seconds(6), due: map[string]time.Time{}}
	for i := range p.expiring {
		p.due["web-"+strconv.Itoa(i)] = p.first.Add(time.Duration(i/50) * time.Second)
	}
	p.last = p.first.Add(5 * time.Second)
	createEach(t, namespace, p.due)
	createMany(t, namespace, "held-", p.kept, gen.Expires(p.last), held)
	createMany(t, namespace, "extended-", p.kept, gen.Expires(p.last.Add(long)))
	return p
}

// check requires that each expired pod was deleted once and not early, and that all other
// pods are alive.
func (p *population) check(t *testing.T, namespace string, gone *deletions) {
	t.Helper()
	when := gone.wait(t, p.expiring, "web-")
	for pod, at := range p.due {
		require.False(t, when[pod].Before(at), "%s was deleted %s early", pod, at.Sub(when[pod]))
	}
	require.Empty(t, gone.with("held-"))
	require.Empty(t, gone.with("extended-"))
	for pod, times := range deletionsInAuditLog(t, namespace) {
		require.Equal(t, 1, times, pod)
	}
	found, err := names(t.Context(), namespace)
	require.NoError(t, err)
	alive := 0
	for _, name := range found {
		if !strings.HasPrefix(name, "web-") {
			alive++
		}
	}
	require.Equal(t, 2*p.kept, alive)
}

func TestKilledSweeperDeletesEachPodOnce(t *testing.T) {
	moments := random(t)
	namespace := newNamespace(t)
	p := build(t, namespace)
	gone := watchDeletions(t, namespace)
	pods := populate(t, namespace)
	for round := range kills {
		process := p.start(t, fmt.Sprint("round-", round), "--leader-elect=false")
		if round == 0 {
			gone.wait(t, 1, "web-")
		}
		pause(t.Context(), time.Duration(moments.Int64N(int64(1500*time.Millisecond))))
		process.Kill()
	}
	p.start(t, "last", "--leader-elect=false")
	pods.check(t, namespace, gone)
}

func TestKilledLeaderDeletesEachPodOnce(t *testing.T) {
	moments := random(t)
	namespace := newNamespace(t)
	p := build(t, namespace)
	gone := watchDeletions(t, namespace)
	leader := p.start(t, "one")
	holder := waitLeader(t, namespace, "")
	standby := p.start(t, "two")
	pods := populate(t, namespace)
	gone.wait(t, 1, "web-")
	for round := range kills / 3 {
		pause(t.Context(), time.Duration(moments.Int64N(int64(time.Second))))
		leader.Kill()
		killed := time.Now()
		holder = waitLeader(t, namespace, holder)
		t.Logf("taken over after %s, with a lease of %s", time.Since(killed).Round(time.Millisecond), lease)
		leader, standby = standby, p.start(t, fmt.Sprint("next-", round))
	}
	require.NotNil(t, standby)
	pods.check(t, namespace, gone)
}

// waitLeader waits for a leader other than this one, and returns its identity.
func waitLeader(t *testing.T, namespace, than string) string {
	t.Helper()
	var holder string
	eventually(t, "another sweeper leads", func(ctx context.Context) (bool, error) {
		held := &coordinationv1.Lease{}
		err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "isolate-sweeper"}, held)
		if err != nil || held.Spec.HolderIdentity == nil {
			return false, client.IgnoreNotFound(err)
		}
		holder = *held.Spec.HolderIdentity
		return holder != "" && holder != than, nil
	})
	return holder
}

// A pod that is held or extended in time is kept, whatever happens to the sweeper.
func TestAcceptedHoldSurvivesKilledSweeper(t *testing.T) {
	moments := random(t)
	namespace := newNamespace(t)
	p := build(t, namespace)
	at := seconds(4)
	const pods = 100
	createMany(t, namespace, "web-", pods, gen.Expires(at))
	process := p.start(t, "one", "--leader-elect=false")
	pause(t.Context(), time.Until(at.Add(-time.Second)))
	kept := map[string]*corev1.Pod{}
	for i := range pods {
		pod := &corev1.Pod{}
		name := "web-" + strconv.Itoa(i)
		if i == pods/2 {
			process.Kill()
			process = p.start(t, "two", "--leader-elect=false")
		}
		if admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, pod) != nil {
			continue
		}
		change := []gen.Option{held, gen.Expires(time.Now().Add(long))}[moments.IntN(2)]
		if held := pod.DeepCopy(); patchInto(t.Context(), held, change) == nil && held.DeletionTimestamp == nil {
			kept[name] = held
		}
	}
	waitCount(t, namespace, len(kept))
	t.Logf("%d of %d pods were held or extended in time", len(kept), pods)
	for _, pod := range kept {
		requireAlive(t, pod)
	}
	require.NotNil(t, process)
}

// patchInto changes a stored pod, and sets pod to the result.
func patchInto(ctx context.Context, pod *corev1.Pod, change gen.Option) error {
	before := pod.DeepCopy()
	change(pod)
	return admin.Patch(ctx, pod, client.MergeFrom(before))
}
