package sweeper

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// eventWorkers are few, so that events take no part of the API server that
	// deletions need.
	eventWorkers = 2
	// eventTimeout bounds one attempt and the wait before it, and drainTimeout all that are left when the
	// sweeper is asked to stop.
	eventTimeout, drainTimeout = 10 * time.Second, 5 * time.Second
	// eventAttempts is how often an event is tried. Events are news, not records.
	eventAttempts = 10
)

// publisher creates events in the background, while no pod is being deleted: what is
// told never delays what is done. It remembers what it told for as long as the API server keeps it, so a pod
// that changes every second is not told of every second.
type publisher struct {
	writer   client.Writer
	local    clock.PassiveClock
	instance string
	failed   prometheus.Counter
	queue    workqueue.TypedRateLimitingInterface[client.ObjectKey]
	first    *precedence

	mu      sync.Mutex
	waiting map[client.ObjectKey]event
	told    map[client.ObjectKey]time.Time
	purged  time.Time
}

func newPublisher(writer client.Writer, local clock.PassiveClock, instance string, failed prometheus.Counter) *publisher {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[client.ObjectKey](retryFirst, retryLast)
	return &publisher{
		writer: writer, local: local, instance: instance, failed: failed,
		queue:   workqueue.NewTypedRateLimitingQueue(limiter),
		first:   newPrecedence(),
		waiting: map[client.ObjectKey]event{},
		told:    map[client.ObjectKey]time.Time{},
	}
}

// publish has the event created, unless that was asked for already. It never waits.
func (p *publisher) publish(e event) {
	key := client.ObjectKey{Namespace: e.regarding.Namespace, Name: e.name()}
	now := p.local.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.purge(now)
	if _, known := p.told[key]; known {
		return
	}
	p.told[key] = now
	p.waiting[key] = e
	p.queue.Add(key)
}

// purge forgets what the API server has forgotten.
func (p *publisher) purge(now time.Time) {
	if now.Sub(p.purged).Abs() < newsAge/10 {
		return
	}
	p.purged = now
	maps.DeleteFunc(p.told, func(_ client.ObjectKey, at time.Time) bool { return now.Sub(at).Abs() > newsAge })
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/manager.Runnable]. What is
// left when the context ends is still told, if that is quickly done.
func (p *publisher) Start(ctx context.Context) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var workers sync.WaitGroup
	for range eventWorkers {
		workers.Go(func() {
			for p.next(requests) {
			}
		})
	}
	<-ctx.Done()
	timer := time.AfterFunc(drainTimeout, cancel)
	defer timer.Stop()
	p.queue.ShutDown() // What waits is still handed out, what failed is not tried again.
	workers.Wait()
	return nil
}

// next creates one event; false once there will be no more.
func (p *publisher) next(ctx context.Context) bool {
	key, stopped := p.queue.Get()
	if stopped {
		return false
	}
	defer p.queue.Done(key)
	p.mu.Lock()
	e := p.waiting[key]
	p.mu.Unlock()
	p.first.wait(ctx, eventTimeout)
	request, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	err := p.writer.Create(request, e.object(p.instance, p.local.Now()))
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		p.end(key)
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		p.end(key) // With the namespace goes whoever would read it.
	case p.queue.NumRequeues(key) < eventAttempts && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
		p.queue.AddRateLimited(key)
	default:
		p.failed.Inc()
		log.FromContext(ctx).Error(err, logUntold, "namespace", key.Namespace, "object", e.regarding.Name, "reason", e.reason)
		p.end(key)
	}
	return true
}

func (p *publisher) end(key client.ObjectKey) {
	p.queue.Forget(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, key)
}
