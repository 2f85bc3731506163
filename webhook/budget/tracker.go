package budget

import (
	"context"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

// assumedFor is how long an admitted pod counts before its quarantine shows up in the
// watch. Longer would let writes that were refused later block others; shorter would
// miss writes that other webhooks delay.
const assumedFor = 5 * time.Second

// Tracker counts the quarantined pods of the cluster.
type Tracker struct {
	clock clock.PassiveClock
	cache *watchcache.Cache

	mu sync.Mutex
	// uids are the UIDs of the stored pods. assumed are the pods that were admitted and that
	// the watch does not show yet.
	uids    map[types.NamespacedName]types.UID
	assumed map[types.UID]assumedPod
	// counters count each pod once: as stored, or else as assumed.
	stored, inFlight counter
}

type assumedPod struct {
	entry
	// at is when the pod was admitted, by this machine's clock. stamp is the quarantined-at
	// of the admission.
	at, stamp time.Time
}

// NewTracker returns a tracker. [Tracker.Start] fills it.
func NewTracker(client metadata.Interface, clock clock.PassiveClock) *Tracker {
	t := newTracker(clock)
	t.cache = watchcache.NewMetadata(client, corev1.SchemeGroupVersion.WithResource("pods"),
		quarantine.QuarantinedLabel+"="+quarantine.QuarantinedValue, t)
	return t
}

func newTracker(clock clock.PassiveClock) *Tracker {
	return &Tracker{
		clock: clock, uids: map[types.NamespacedName]types.UID{}, assumed: map[types.UID]assumedPod{},
		stored: newCounter(), inFlight: newCounter(),
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
func (t *Tracker) Reserve(req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error) {
	if err := t.cache.Err(); err != nil {
		return quarantine.Decision{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	req.Quarantined = t.count(req.Old.Namespace, req.Old.UID)
	decision := decide(req)
	if decision.Action == quarantine.ActionQuarantine && !dryRun {
		t.assume(req.Old.UID, assumedPod{entry{req.Old.Namespace, decision.CountsFor}, t.clock.Now(), req.Time})
	}
	return decision, nil
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
	return count{t.stored.excluding(namespace, pod), t.inFlight.excluding(namespace, pod)}
}

func (t *Tracker) assume(uid types.UID, pod assumedPod) {
	t.assumed[uid] = pod
	if _, stored := t.stored.entries[uid]; !stored {
		t.inFlight.add(uid, pod.entry)
	}
}

func (t *Tracker) forget(uid types.UID) {
	delete(t.assumed, uid)
	t.inFlight.remove(uid)
}

// expire forgets the assumed pods that the watch has not shown in time.
func (t *Tracker) expire() {
	for uid, pod := range t.assumed {
		if t.clock.Since(pod.at) >= assumedFor {
			t.forget(uid)
		}
	}
}

// Strip implements [watchcache.Store].
func (t *Tracker) Strip(object metav1.Object) {
	object.SetManagedFields(nil)
}

// Set implements [watchcache.Store].
func (t *Tracker) Set(object metav1.Object) {
	status := quarantine.StatusOf(object.GetLabels(), object.GetAnnotations())
	name, uid := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}, object.GetUID()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.uids[name] != uid {
		t.remove(name)
	}
	t.uids[name] = uid
	t.stored.add(uid, entry{name.Namespace, status.Record.CountsFor()})
	t.inFlight.remove(uid)
	// The watch may still show an earlier quarantine of a pod that was released since.
	if pod, ok := t.assumed[uid]; ok && !status.QuarantinedAt.Before(pod.stamp.Truncate(time.Second)) {
		t.forget(uid)
	}
}

// Delete implements [watchcache.Store].
func (t *Tracker) Delete(object metav1.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()})
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
	if pod, ok := t.assumed[uid]; ok {
		t.inFlight.add(uid, pod.entry)
	}
}
