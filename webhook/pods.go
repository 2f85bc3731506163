package webhook

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

// reservation is how long a pod counts that was let through and isn't seen to be
// quarantined. The API server gives up on a write after 34 seconds
// (requestTimeoutUpperBound in k8s.io/apiserver/pkg/endpoints/handlers); what is
// stored until then is seen soon after.
const reservation = time.Minute

// Pods counts the pods that are quarantined. Those that the API server has are
// followed by their label; each that this replica lets through counts at once, so
// that of many admissions at the same time no more get through than a budget has.
//
// That is exact for one replica, and can't be for several. Each decides by what is
// stored and by what it has let through itself. Two admissions that are in flight at
// two replicas, with one pod left in the budget, are both the only one as far as
// their replica can know: nothing of either is stored before it is answered, and an
// admission may write nothing, so neither can tell the other. Each must be let
// through where the other does not exist, and so both are. But what a replica lets
// through never exceeds the budget with what it sees. So replicas that answer at the
// same time let through at most the budget each, and only as long as a watch lags,
// which is some milliseconds: the overshoot is at most (replicas - 1) × budget, and
// nobody gets through any more once the watch has shown it.
type Pods struct {
	clock    clock.PassiveClock
	informer *watchcache.Cache

	mu sync.Mutex
	// names are the UIDs of the pods that the API server has, and stored is what they
	// count for.
	names  map[types.NamespacedName]types.UID
	stored map[types.UID]member
	// reserved are those that were let through.
	reserved map[types.UID]reserved
	// tally counts both.
	tally tally
}

type reserved struct {
	member
	at time.Time
}

// NewPods returns a count that is filled once it is started.
func NewPods(client metadata.Interface, clock clock.PassiveClock) *Pods {
	p := newPods(clock)
	p.informer = watchcache.NewMetadata(client, corev1.SchemeGroupVersion.WithResource("pods"),
		quarantine.QuarantinedLabel+"="+quarantine.QuarantinedValue, p)
	return p
}

func newPods(clock clock.PassiveClock) *Pods {
	return &Pods{
		clock: clock, names: map[types.NamespacedName]types.UID{},
		stored: map[types.UID]member{}, reserved: map[types.UID]reserved{}, tally: newTally(),
	}
}

// Start follows the pods until the context ends. It implements controller-runtime's
// manager.Runnable.
func (p *Pods) Start(ctx context.Context) error {
	p.informer.Run(ctx)
	return nil
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable.
func (p *Pods) NeedLeaderElection() bool { return false }

// Ready implements controller-runtime's healthz.Checker.
func (p *Pods) Ready(*http.Request) error { return p.informer.Err() }

// Admit has a quarantine decided with counts that no other admission changes
// meanwhile. Where it is let through, the pod counts from then on: once, however
// often it is asked about. It fails while the pods aren't known.
func (p *Pods) Admit(req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error) {
	if err := p.informer.Err(); err != nil {
		return quarantine.Decision{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	req.Quarantined = p.tally.others(req.Old.Namespace, req.Old.UID)
	decision := decide(req)
	if decision.Action == quarantine.ActionQuarantine && !dryRun {
		p.reserved[req.Old.UID] = reserved{member{req.Old.Namespace, decision.CountsFor}, req.Time}
		p.count(req.Old.UID)
	}
	return decision, nil
}

// forget drops the reservations of admissions that have come to nothing.
func (p *Pods) forget() {
	for uid, r := range p.reserved {
		if p.clock.Since(r.at) >= reservation {
			delete(p.reserved, uid)
			p.count(uid)
		}
	}
}

// count has a pod counted once: as it is stored, or else as it was let through.
func (p *Pods) count(uid types.UID) {
	if m, ok := p.stored[uid]; ok {
		p.tally.put(uid, m)
	} else if r, ok := p.reserved[uid]; ok {
		p.tally.put(uid, r.member)
	} else {
		p.tally.drop(uid)
	}
}

// Strip implements [watchcache.Store].
func (p *Pods) Strip(object metav1.Object) {
	object.SetManagedFields(nil)
}

// Set implements [watchcache.Store].
func (p *Pods) Set(object metav1.Object) {
	status := quarantine.StatusOf(object.GetLabels(), object.GetAnnotations())
	name, uid := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}, object.GetUID()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names[name] != uid {
		p.remove(name)
	}
	p.names[name] = uid
	p.stored[uid] = member{name.Namespace, status.Record.CountsFor()}
	// What is shown may be an earlier quarantine of a pod that was released since.
	if r, ok := p.reserved[uid]; ok && !status.QuarantinedAt.Before(r.at.Truncate(time.Second)) {
		delete(p.reserved, uid)
	}
	p.count(uid)
}

// Delete implements [watchcache.Store].
func (p *Pods) Delete(object metav1.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()})
}

// Retain implements [watchcache.Store].
func (p *Pods) Retain(kept func(namespace, name string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.names {
		if !kept(name.Namespace, name.Name) {
			p.remove(name)
		}
	}
}

func (p *Pods) remove(name types.NamespacedName) {
	uid, known := p.names[name]
	if !known {
		return
	}
	delete(p.names, name)
	delete(p.stored, uid)
	p.count(uid)
}
