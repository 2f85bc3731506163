package deletions

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
)

// maxAccepted bounds the memory for pods that were deleted, some 2 MiB. A pod leaves the
// cache moments after its deletion, so nobody asks about older ones.
const maxAccepted = 20_000

// State is what is known about the deletion of a pod.
type State int

const (
	// None means that isolate does not delete the pod.
	None State = iota
	// InFlight means that a delete request has no response yet.
	InFlight
	// Accepted means that the API server has accepted isolate's deletion, or that the
	// pod was gone by then.
	Accepted
)

// Tracker tracks deletions. It is also the deletion gate: [Tracker.Wait] delays events
// while deletions are in flight. Both compete for the API server, and an event loses
// nothing by arriving a moment later.
type Tracker struct {
	mu       sync.Mutex
	inFlight map[types.UID]struct{}
	accepted *lru.Cache
	idle     chan struct{} // closed while nothing is in flight
}

// NewTracker returns a tracker that knows of no deletion.
func NewTracker() *Tracker {
	t := &Tracker{inFlight: map[types.UID]struct{}{}, accepted: lru.New(maxAccepted), idle: make(chan struct{})}
	close(t.idle)
	return t
}

// Begin records that a delete request is about to be sent. [Tracker.End] must follow.
func (t *Tracker) Begin(pod types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.inFlight) == 0 {
		t.idle = make(chan struct{})
	}
	t.inFlight[pod] = struct{}{}
}

// End records the response: whether the pod is deleted, by isolate or by others.
func (t *Tracker) End(pod types.UID, deleted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.inFlight, pod)
	if deleted {
		t.accepted.Add(pod, nil)
	}
	if len(t.inFlight) == 0 {
		close(t.idle)
	}
}

// StateOf returns what is known about the deletion of a pod.
func (t *Tracker) StateOf(pod types.UID) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.inFlight[pod]; ok {
		return InFlight
	}
	if _, ok := t.accepted.Get(pod); ok {
		return Accepted
	}
	return None
}

// Wait returns when no deletion is in flight, but no later than maxWait from now, or
// when the context ends.
func (t *Tracker) Wait(ctx context.Context, maxWait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	t.mu.Lock()
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
