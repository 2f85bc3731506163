package replacement

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// missingRetry is after how long a controller that was short is checked again.
	missingRetry = 15 * time.Second

	// unknownRetry is after how long a pod is checked again if its former controller is not
	// known yet.
	unknownRetry = time.Second
)

// Selectors knows the former controllers of pods.
type Selectors interface {
	// Namespace returns the selectors of a namespace. It fails while they could be
	// incomplete.
	Namespace(name string) (quarantine.Selectors, error)
}

// controller checks, some time after each quarantine, whether the pod's former controller
// has all its pods again. The selector index has these numbers; only if pods are missing
// is more read, to say why. Once the controller has had all its pods, the check is
// over: a later lack of pods has nothing to do with this quarantine.
type controller struct {
	cache     client.Reader
	live      client.Reader
	selectors Selectors
	clock     clock.PassiveClock
	events    events.Publisher
	timeout   time.Duration
	gauge     prometheus.Gauge

	mu       sync.Mutex
	missing  map[types.NamespacedName]bool
	complete map[types.NamespacedName]types.UID
}

// Options are what the controller needs besides a manager.
type Options struct {
	// Timeout is how long after a quarantine the former controller may be short of pods.
	Timeout time.Duration

	Selectors Selectors
	Clock     clock.PassiveClock
	Steps     source.Source
	Events    events.Publisher
	Metrics   prometheus.Registerer
}

// Add adds the controller to a manager.
func Add(mgr manager.Manager, options Options) error {
	gauge, err := newMissingGauge(options.Metrics)
	if err != nil {
		return err
	}
	c := &controller{cache: mgr.GetCache(), live: mgr.GetAPIReader(), selectors: options.Selectors,
		clock: options.Clock, events: options.Events, timeout: options.Timeout, gauge: gauge,
		missing: map[types.NamespacedName]bool{}, complete: map[types.NamespacedName]types.UID{}}
	return quarantinedpods.AddController(mgr, "replacement", 1, c,
		func(pod *metav1.PartialObjectMetadata) { c.forget(client.ObjectKeyFromObject(pod)) }, options.Steps)
}

// Reconcile implements [reconcile.Reconciler].
func (c *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := quarantinedpods.New()
	if err := c.cache.Get(ctx, request.NamespacedName, pod); err != nil {
		c.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := c.clock.Now()
	verdict, status := quarantine.VerdictOf(&pod.ObjectMeta, now)
	owner, owned := quarantinedpods.FormerController(pod, status.Record)
	if !owned || verdict == quarantine.VerdictTerminating {
		c.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if c.wasComplete(request.NamespacedName, pod.UID) {
		return reconcile.Result{}, nil
	}
	if wait := status.QuarantinedAt.Add(c.timeout).Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	selectors, err := c.selectors.Namespace(pod.Namespace)
	if err != nil { // The index logs what it could not read.
		log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
		return reconcile.Result{RequeueAfter: unknownRetry}, nil
	}
	former := quarantinedpods.LookupController(selectors, owner)
	if former == nil || former.Available >= former.Desired {
		c.setComplete(request.NamespacedName, pod.UID)
		return reconcile.Result{}, nil
	}
	if c.setMissing(request.NamespacedName) {
		c.publish(ctx, pod, owner, former, now.Sub(status.QuarantinedAt))
	}
	return reconcile.Result{RequeueAfter: missingRetry}, nil
}

func (c *controller) publish(ctx context.Context, pod *metav1.PartialObjectMetadata, owner corev1.ObjectReference,
	former *quarantine.SelectingObject, after time.Duration,
) {
	reason := reasonShort(ctx, c.live, pod, owner, former)
	c.events.Publish(missingEvent(quarantinedpods.Reference(pod), string(owner.UID), pod, former, after, reason))
	c.events.Publish(missingEvent(owner, pod.Annotations[quarantine.QuarantinedAtKey], pod, former, after, reason))
}

func (c *controller) wasComplete(name types.NamespacedName, uid types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complete[name] == uid
}

// setComplete records that the former controller of a pod has all its pods.
func (c *controller) setComplete(name types.NamespacedName, uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete[name] = uid
	delete(c.missing, name)
	c.gauge.Set(float64(len(c.missing)))
}

// setMissing records that the replacement of a pod is missing, and reports whether that is
// new.
func (c *controller) setMissing(name types.NamespacedName) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	isNew := !c.missing[name]
	c.missing[name] = true
	c.gauge.Set(float64(len(c.missing)))
	return isNew
}

// forget is called for a pod that is no longer quarantined.
func (c *controller) forget(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.complete, name)
	delete(c.missing, name)
	c.gauge.Set(float64(len(c.missing)))
}
