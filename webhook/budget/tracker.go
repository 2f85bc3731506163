package budget

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

var podResource = corev1.SchemeGroupVersion.WithResource("pods")

// Tracker counts the quarantined pods of the cluster. It is a [prometheus.Collector].
type Tracker struct {
	clock     clock.PassiveClock
	cache     *watchcache.Cache
	confirmer confirmer
	unstored  *prometheus.CounterVec

	mu sync.Mutex
	// uids are the UIDs of the stored pods.
	uids map[types.NamespacedName]types.UID
	// A pod counts once: as stored, or else as assumed.
	stored  counter
	assumed assumedPods
}

// NewTracker returns a tracker. [Tracker.Start] fills it.
func NewTracker(client metadata.Interface, clock clock.PassiveClock) *Tracker {
	t := newTracker(clock, liveReader(client))
	t.cache = watchcache.NewMetadata(client, podResource, quarantine.QuarantinedLabel+"="+quarantine.QuarantinedValue, t)
	return t
}

func newTracker(clock clock.PassiveClock, e exists) *Tracker {
	return &Tracker{
		clock: clock, confirmer: newConfirmer(e, clock), unstored: newUnstoredCounter(),
		uids: map[types.NamespacedName]types.UID{}, stored: newCounter(), assumed: newAssumedPods(),
	}
}

// Start watches the quarantined pods until the context ends. It implements
// controller-runtime's manager.Runnable.
func (t *Tracker) Start(ctx context.Context) error {
	t.cache.Run(ctx)
	return nil
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable.
func (t *Tracker) NeedLeaderElection() bool { return false }

// Ready implements controller-runtime's healthz.Checker.
func (t *Tracker) Ready(*http.Request) error { return t.cache.Ready() }

// Wait waits until the quarantined pods are known, or the context ends.
func (t *Tracker) Wait(ctx context.Context) error { return t.cache.Wait(ctx) }

// Reserve calls decide with counts that no other admission changes meanwhile. If it
// admits a quarantine, the pod counts from then on: once, however often Reserve is
// called for it. The error says why the quarantined pods are unknown.
//
// An admitted pod that is neither stored nor confirmed never uses up a budget: if it
// would, it is read from the API server first. So a review costs no read unless budgets
// are short, and a forged one has no effect.
func (t *Tracker) Reserve(ctx context.Context, req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error) {
	if err := t.cache.Err(); err != nil {
		return quarantine.Decision{}, err
	}
	decision, doubtful := t.reserve(req, dryRun, decide, true)
	if doubtful && isOverBudget(decision) {
		t.confirm(ctx, req.Old.Namespace)
		if err := t.cache.Err(); err != nil { // It may have become unknown meanwhile.
			return quarantine.Decision{}, err
		}
		decision, _ = t.reserve(req, dryRun, decide, false)
	}
	return decision, nil
}

// reserve also reports whether the decision counted unconfirmed pods.
func (t *Tracker) reserve(req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision, withUnconfirmed bool) (decision quarantine.Decision, doubtful bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	counted := t.count(req.Old.Namespace, req.Old.UID)
	if !withUnconfirmed {
		counted.unconfirmed = excluding{}
	}
	req.Quarantined = counted
	decision = decide(req)
	if decision.Action == quarantine.ActionQuarantine && !dryRun {
		t.assume(assumedPod{
			entry: entry{req.Old.Namespace, decision.CountsFor}, uid: req.Old.UID, name: req.Old.Name, at: t.clock.Now(), stamp: req.Time,
		})
	}
	return decision, counted.unconfirmed.all() > 0
}

func isOverBudget(decision quarantine.Decision) bool {
	return decision.Denial != nil &&
		(decision.Denial.Reason == quarantine.ReasonControllerBudget || decision.Denial.Reason == quarantine.ReasonNamespaceBudget)
}

// Use is how many quarantined pods of a namespace are stored: all of them, and those of
// the controller that has the most.
type Use struct{ All, Controller int }

// Used returns the use of each namespace with quarantined pods.
func (t *Tracker) Used() map[string]Use {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stored.used()
}

func (t *Tracker) count(namespace string, pod types.UID) count {
	return count{t.stored.excluding(namespace, pod), t.assumed.confirmed.excluding(namespace, pod), t.assumed.unconfirmed.excluding(namespace, pod)}
}

func (t *Tracker) assume(pod assumedPod) {
	if t.assumed.get(pod.uid) == nil && len(t.assumed.pods) >= maxAssumed {
		t.drop(t.assumed.oldest(), CauseTooMany)
	}
	t.assumed.add(pod)
	if _, stored := t.stored.entries[pod.uid]; !stored {
		t.assumed.count(t.assumed.get(pod.uid))
	}
}

// expire drops the assumed pods that the watch has not shown in time.
func (t *Tracker) expire() {
	for pod := t.assumed.oldest(); pod != nil && t.clock.Since(pod.at) >= assumedFor; pod = t.assumed.oldest() {
		t.drop(pod, CauseNotStored)
	}
}

func (t *Tracker) drop(pod *assumedPod, cause Cause) {
	if _, stored := t.stored.entries[pod.uid]; !stored {
		t.unstored.WithLabelValues(string(cause)).Inc()
	}
	t.assumed.remove(pod.uid)
}

// storedPod is what the tracker keeps of a quarantined pod.
type storedPod struct {
	uid           types.UID
	countsFor     types.UID
	quarantinedAt time.Time
}

// Extract implements [watchcache.Store].
func (t *Tracker) Extract(object metav1.Object) storedPod {
	status := quarantine.StatusOf(object.GetLabels(), object.GetAnnotations())
	return storedPod{object.GetUID(), status.Record.CountsFor(), status.QuarantinedAt}
}

// Set implements [watchcache.Store].
func (t *Tracker) Set(namespace, name string, stored storedPod) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.uids[key] != stored.uid {
		t.remove(key)
	}
	t.uids[key] = stored.uid
	t.stored.add(stored.uid, entry{namespace, stored.countsFor})
	t.assumed.uncount(stored.uid)
	// The watch may still show an earlier quarantine of a pod that was released since.
	if pod := t.assumed.get(stored.uid); pod != nil && !stored.quarantinedAt.Before(pod.stamp.Truncate(time.Second)) {
		t.assumed.remove(stored.uid)
	}
}

// Delete implements [watchcache.Store].
func (t *Tracker) Delete(namespace, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(types.NamespacedName{Namespace: namespace, Name: name})
}

// Retain implements [watchcache.Store].
func (t *Tracker) Retain(kept func(namespace, name string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.uids {
		if !kept(name.Namespace, name.Name) {
			t.remove(name)
		}
	}
}

func (t *Tracker) remove(name types.NamespacedName) {
	uid, ok := t.uids[name]
	if !ok {
		return
	}
	delete(t.uids, name)
	t.stored.remove(uid)
	if pod := t.assumed.get(uid); pod != nil {
		t.assumed.count(pod)
	}
}
