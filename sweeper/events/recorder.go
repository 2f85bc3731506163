package events

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// workers are few, so that events do not compete with deletions for the API server.
	workers = 2
	// createTimeout bounds one attempt, and the wait at the gate before it.
	createTimeout = 10 * time.Second
	// drainTimeout bounds all events that are pending when the sweeper stops.
	drainTimeout = 5 * time.Second
	// maxAttempts is how often an event is tried.
	maxAttempts = 10
	// An event that failed is tried again soon, and then less and less often.
	firstRetry, lastRetry = 100 * time.Millisecond, 30 * time.Second

	// maxPending bounds the memory for events that the API server does not take in
	// time, some 20 MiB. More are dropped: an event is not a record.
	maxPending = 10_000
	// maxPublished bounds the memory for the names of published events, some 10 MiB.
	// Beyond it the API server recognizes a duplicate by its name, for one request.
	maxPublished = 50_000
)

// Gate delays events while something more important needs the API server.
type Gate interface {
	// Wait returns when events may go on, but no later than maxWait from now, or when the
	// context ends.
	Wait(ctx context.Context, maxWait time.Duration)
}

// Recorder creates events in the background, so that events never delay deletions. It
// remembers published events for as long as the API server keeps them, so a pod that
// changes every second does not produce an event every second.
type Recorder struct {
	writer   client.Writer
	clock    clock.PassiveClock
	reporter Reporter
	gate     Gate
	dropped  prometheus.Counter
	queue    workqueue.TypedRateLimitingInterface[client.ObjectKey]

	mu        sync.Mutex
	pending   map[client.ObjectKey]Event
	published *lru.Cache // when an event was published, by its key
}

var _ Publisher = &Recorder{}

// NewRecorder returns a recorder that publishes in the name of the reporter. It waits at
// the gate, unless that is nil, before each event.
func NewRecorder(writer client.Writer, clk clock.PassiveClock, reporter Reporter, gate Gate, registry prometheus.Registerer) (*Recorder, error) {
	r := &Recorder{
		writer: writer, clock: clk, reporter: reporter, gate: gate,
		dropped: newDroppedCounter(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[client.ObjectKey](firstRetry, lastRetry)),
		pending:   map[client.ObjectKey]Event{},
		published: lru.New(maxPublished),
	}
	return r, registry.Register(r.dropped)
}

// Publish enqueues the event, unless it was published before. It never blocks.
func (r *Recorder) Publish(event Event) {
	key := client.ObjectKey{Namespace: event.Regarding.Namespace, Name: event.Name()}
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.published.Get(key); ok && now.Sub(at.(time.Time)).Abs() <= TTL {
		return
	}
	if len(r.pending) >= maxPending {
		r.dropped.Inc()
		return
	}
	r.published.Add(key, now)
	r.pending[key] = event
	r.queue.Add(key)
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/manager.Runnable]. It still
// publishes pending events after the context has ended, as many as it can in a few
// seconds.
func (r *Recorder) Start(ctx context.Context) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for r.createNext(requests) {
			}
		})
	}
	<-ctx.Done()
	timer := time.AfterFunc(drainTimeout, cancel)
	defer timer.Stop()
	r.queue.ShutDown() // Pending events are still handed out, but none is retried.
	running.Wait()
	return nil
}

// createNext creates one event. It returns false when there will be no more.
func (r *Recorder) createNext(ctx context.Context) bool {
	key, stopped := r.queue.Get()
	if stopped {
		return false
	}
	defer r.queue.Done(key)
	r.mu.Lock()
	event := r.pending[key]
	r.mu.Unlock()
	if r.gate != nil {
		r.gate.Wait(ctx, createTimeout)
	}
	request, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	err := r.writer.Create(request, event.object(r.reporter, r.clock.Now()))
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		r.done(key)
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		r.done(key) // Nobody reads the events of a namespace that is being deleted.
	case r.queue.NumRequeues(key) < maxAttempts && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
		r.queue.AddRateLimited(key)
	default:
		r.dropped.Inc()
		log.FromContext(ctx).Error(err, logDropped,
			"object", klog.KRef(event.Regarding.Namespace, event.Regarding.Name), "kind", event.Regarding.Kind, "reason", event.Reason)
		r.done(key)
	}
	return true
}

func (r *Recorder) done(key client.ObjectKey) {
	r.queue.Forget(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, key)
}
