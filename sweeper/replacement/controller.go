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

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/clocksteps"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// firstCheck is after how long a controller is checked first. Its status needs a
	// moment to show that the pod has left it.
	firstCheck = 2 * time.Second

	// lastFirstCheck is when a first check comes too late to tell how long a replacement
	// took. A replica that began to lead after it finds the controller complete.
	lastFirstCheck = 10 * time.Second

	// missingRetry is after how long a controller that was missing pods for too long is
	// checked again.
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

// controller checks after each quarantine, at growing intervals, whether the pod's former
// controller has all its pods again, and publishes after some time that it has not. The
// selector index has these numbers; only if pods are missing is more read, to say why.
// Once the controller has had all its pods, the check is over: a later lack of pods has
// nothing to do with this quarantine.
type controller struct {
	cache     client.Reader
	live      client.Reader
	selectors Selectors
	clock     clock.PassiveClock
	events    events.Publisher
	timeout   time.Duration
	metrics   *metrics

	mu       sync.Mutex
	progress map[types.NamespacedName]progress
}

// progress is how far the replacement of a pod is.
type progress struct {
	pod   types.UID
	state state
}

type state int

const (
	unchecked state = iota
	short           // The controller has been short of pods.
	missing         // It has been so for too long, and an event says so.
	complete        // It has had all its pods.
)

// Options are what the controller needs besides a manager.
type Options struct {
	// Timeout is how long after a quarantine the former controller may be short of pods.
	Timeout time.Duration

	Selectors Selectors
	Clock     clock.PassiveClock
	Steps     *clocksteps.Source
	Events    events.Publisher
	Metrics   prometheus.Registerer
}

// Add adds the controller to a manager.
func Add(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return err
	}
	c := &controller{cache: mgr.GetCache(), live: mgr.GetAPIReader(), selectors: options.Selectors,
		clock: options.Clock, events: options.Events, timeout: options.Timeout, metrics: metrics,
		progress: map[types.NamespacedName]progress{}}
	return quarantinedpods.AddController(mgr, "replacement", 1, options.Steps.Reconciler(c),
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
	reached := c.reached(request.NamespacedName, pod.UID)
	if reached == complete {
		return reconcile.Result{}, nil
	}
	age := now.Sub(status.QuarantinedAt)
	if wait := firstCheck - age; wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	selectors, err := c.selectors.Namespace(pod.Namespace)
	if err != nil { // The index logs what it could not read.
		log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
		return reconcile.Result{RequeueAfter: unknownRetry}, nil
	}
	former := quarantinedpods.LookupController(selectors, owner)
	if former == nil || former.Available >= former.Desired {
		if former != nil && (reached != unchecked || age < lastFirstCheck) {
			c.metrics.took.Observe(age.Seconds())
		}
		c.reach(request.NamespacedName, pod.UID, complete)
		return reconcile.Result{}, nil
	}
	if age < c.timeout {
		c.reach(request.NamespacedName, pod.UID, short)
		return reconcile.Result{RequeueAfter: min(nextCheck(age), c.timeout-age)}, nil
	}
	c.reach(request.NamespacedName, pod.UID, missing)
	if reached != missing {
		c.publish(ctx, pod, owner, former, age)
	}
	return reconcile.Result{RequeueAfter: missingRetry}, nil
}

// nextCheck returns when to check a controller again that is short of pods at an age of
// the quarantine: often at first, and less and less often for the same relative error.
func nextCheck(age time.Duration) time.Duration { return max(time.Second, age/10) }

func (c *controller) publish(ctx context.Context, pod *metav1.PartialObjectMetadata, owner corev1.ObjectReference,
	former *quarantine.SelectingObject, after time.Duration,
) {
	reason := reasonShort(ctx, c.live, pod, owner, former)
	c.events.Publish(missingEvent(quarantinedpods.Reference(pod), string(owner.UID), pod, former, after, reason))
	c.events.Publish(missingEvent(owner, pod.Annotations[quarantine.QuarantinedAtKey], pod, former, after, reason))
}

// reached returns how far the replacement of a pod is.
func (c *controller) reached(name types.NamespacedName, pod types.UID) state {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.progress[name]; p.pod == pod {
		return p.state
	}
	return unchecked
}

// reach records how far the replacement of a pod is.
func (c *controller) reach(name types.NamespacedName, pod types.UID, s state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metrics.moved(c.progress[name].state, s)
	c.progress[name] = progress{pod, s}
}

// forget is called for a pod that is no longer quarantined.
func (c *controller) forget(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metrics.moved(c.progress[name].state, unchecked)
	delete(c.progress, name)
}
