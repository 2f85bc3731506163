package podevents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/clocksteps"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// The expiry of a pod is announced when a tenth of its time is left, or 15 minutes if
	// that is less.
	warnFraction, warnAtMost = 10, 15 * time.Minute

	// terminationDelay is how long a pod may stay after its grace period before an event
	// reports it.
	terminationDelay = time.Minute

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

// controller publishes the life of each quarantined pod as events: that it was
// quarantined, that it expires soon, that its record is damaged, that it is stuck
// terminating, and that it was released.
type controller struct {
	cache     client.Reader
	selectors Selectors
	clock     clock.PassiveClock
	events    events.Publisher
}

// Options are what the controller needs besides a manager.
type Options struct {
	Selectors Selectors
	Clock     clock.PassiveClock
	Elapsed   clock.Clock
	Steps     *clocksteps.Source
	Deletions *deletions.Tracker
	Events    events.Publisher
	Metrics   prometheus.Registerer
}

// Add adds the controller and the release detector to a manager.
func Add(mgr manager.Manager, options Options) error {
	releases, err := newReleases(mgr.GetAPIReader(), options)
	if err != nil {
		return err
	}
	c := &controller{cache: mgr.GetCache(), selectors: options.Selectors, clock: options.Clock, events: options.Events}
	return errors.Join(
		mgr.Add(releases),
		quarantinedpods.AddController(mgr, "podevents", 1, options.Steps.Reconciler(c), releases.gone, options.Steps),
	)
}

// Reconcile implements [reconcile.Reconciler].
func (c *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := quarantinedpods.New()
	if err := c.cache.Get(ctx, request.NamespacedName, pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := c.clock.Now()
	verdict, status := quarantine.VerdictOf(&pod.ObjectMeta, now)
	switch verdict {
	case quarantine.VerdictDamaged:
		c.events.Publish(badRecordEvent(pod, status.Problem))
		return reconcile.Result{}, nil
	case quarantine.VerdictTerminating:
		return c.terminating(pod, now), nil
	default: // The pod is quarantined.
	}
	if now.Sub(status.QuarantinedAt) < events.TTL {
		if err := c.quarantined(pod, status); err != nil { // The index logs what it could not read.
			log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
			return reconcile.Result{RequeueAfter: unknownRetry}, nil
		}
	}
	if verdict == quarantine.VerdictImplausible {
		c.events.Publish(implausibleEvent(pod, status.Problem))
	}
	if verdict != quarantine.VerdictWaiting {
		return reconcile.Result{}, nil
	}
	if wait := warnAt(status).Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	c.events.Publish(expiresSoonEvent(pod, status))
	return reconcile.Result{}, nil
}

// warnAt returns when the expiry of a pod is announced.
func warnAt(status quarantine.Status) time.Time {
	ttl := status.ExpiresAt.Sub(status.QuarantinedAt)
	return status.ExpiresAt.Add(-min(ttl/warnFraction, warnAtMost))
}

// quarantined publishes the quarantine on the pod and on its former controller.
func (c *controller) quarantined(pod *metav1.PartialObjectMetadata, status quarantine.Status) error {
	if owner, ok := quarantinedpods.FormerController(pod, status.Record); ok {
		selectors, err := c.selectors.Namespace(pod.Namespace)
		if err != nil {
			return fmt.Errorf("looking up the pod's former controller: %w", err)
		}
		c.events.Publish(podLeftEvent(pod, owner, quarantinedpods.LookupController(selectors, owner)))
	}
	c.events.Publish(quarantinedEvent(pod, status))
	return nil
}

// terminating publishes that a pod is stuck. Another delete would not help.
func (c *controller) terminating(pod *metav1.PartialObjectMetadata, now time.Time) reconcile.Result {
	late := pod.DeletionTimestamp.Add(terminationDelay) // It includes the grace period.
	if wait := late.Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}
	}
	c.events.Publish(stillTerminatingEvent(pod))
	return reconcile.Result{}
}
