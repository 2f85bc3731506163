package expiration

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/clocks"
	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/clocksteps"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// deleteTimeout is less than the time that a manager waits for its controllers to
	// stop.
	deleteTimeout = 20 * time.Second

	// conflictRetry is after how long the controller retries a pod that changes faster than
	// it can be read and deleted.
	conflictRetry = time.Second

	// maxDeletes is how often one reconcile tries to delete a pod: as the cache has it,
	// and as the API server has it if the cache lags.
	maxDeletes = 2
)

// controller deletes each quarantined pod when it expires.
//
// The pod is checked in the cache, which may lag. So the delete carries the UID and the
// resourceVersion of the very object that was checked: if the pod was held, extended,
// released or replaced a moment earlier, the API server refuses. The pod is then read
// from the API server, and checked and deleted as it is there. No read precedes the
// first delete: the preconditions say more than a read could.
//
// For a pod that has not expired, the controller sleeps for the time that is left.
// Everything else that changes the verdict arrives as a watch event, except a clock that
// is set: see package clocksteps.
//
// These workers do nothing but delete: they read nothing that only informs people, and
// create no events.
type controller struct {
	cache     client.Reader
	live      client.Reader
	pods      corev1client.PodsGetter
	local     clock.PassiveClock
	clocks    *clocks.Clocks
	deletions *deletions.Tracker
	events    events.Publisher
	metrics   *metrics
	decisions decisionLog
}

// Options are what the controller needs besides a manager.
type Options struct {
	// Workers is how many pods are deleted at the same time.
	Workers int

	// Client is for deletions alone.
	Client deletions.Client

	Local     clock.PassiveClock
	Clocks    *clocks.Clocks
	Steps     *clocksteps.Source
	Deletions *deletions.Tracker
	Events    events.Publisher
	Metrics   prometheus.Registerer
}

// Add adds the controller to a manager.
func Add(mgr manager.Manager, options Options) error {
	c, err := newController(mgr.GetCache(), options)
	if err != nil {
		return err
	}
	return quarantinedpods.AddController(mgr, "expiration", options.Workers, options.Steps.Reconciler(c), c.decisions.forget, options.Steps)
}

func newController(cache client.Reader, options Options) (*controller, error) {
	metrics, err := newMetrics(options.Metrics)
	return &controller{
		cache: cache, live: options.Client.Live, pods: options.Client.Pods,
		local: options.Local, clocks: options.Clocks,
		deletions: options.Deletions, events: options.Events, metrics: metrics,
	}, err
}

// Reconcile implements [reconcile.Reconciler].
func (c *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := quarantinedpods.New()
	if err := c.cache.Get(ctx, request.NamespacedName, pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if c.deletions.StateOf(pod.UID) == deletions.Accepted {
		return reconcile.Result{}, nil // The pod has been deleted already: the cache lags.
	}
	for range maxDeletes {
		status, wait, err := c.check(ctx, pod)
		if status == nil || err != nil {
			return reconcile.Result{RequeueAfter: wait}, err
		}
		result, err := c.delete(ctx, pod, *status)
		if result != DeleteConflict {
			return reconcile.Result{}, err
		}
		if pod, err = c.read(ctx, pod); pod == nil || err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{RequeueAfter: conflictRetry}, nil
}

// check returns the status of a pod that is to be deleted now. For any other pod it
// returns nil, and how long to wait, 0 if only a change of the pod matters.
func (c *controller) check(ctx context.Context, pod *metav1.PartialObjectMetadata) (*quarantine.Status, time.Duration, error) {
	now := c.local.Now()
	verdict, status := quarantine.VerdictOf(&pod.ObjectMeta, now)
	if verdict == quarantine.VerdictExpired {
		var err error
		if now, err = c.clocks.Reached(ctx); err != nil {
			return nil, 0, fmt.Errorf("reading the API server's time: %w", err)
		}
		if verdict, status = quarantine.VerdictOf(&pod.ObjectMeta, now); verdict == quarantine.VerdictExpired {
			return &status, 0, nil
		}
		c.decisions.write(ctx, pod, status, logServerLate)
		return nil, status.ExpiresAt.Sub(now), nil
	}
	c.decisions.verdict(ctx, pod, verdict, status)
	if verdict == quarantine.VerdictWaiting {
		return nil, status.ExpiresAt.Sub(now), nil
	}
	return nil, 0, nil
}

// delete deletes the pod as it was checked, or nothing. A request that was sent is
// finished even if the sweeper is asked to stop: interrupted, the API server can leave
// the pod marked but not removed, and nobody would have logged or counted it.
func (c *controller) delete(ctx context.Context, pod *metav1.PartialObjectMetadata, status quarantine.Status) (DeleteResult, error) {
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	c.deletions.Begin(pod.UID)
	err := c.pods.Pods(pod.Namespace).Delete(request, pod.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion},
	})
	c.deletions.End(pod.UID, client.IgnoreNotFound(err) == nil)
	var result DeleteResult
	switch {
	case err == nil:
		result = DeleteAccepted
		c.metrics.lag.Observe(c.local.Now().Sub(status.ExpiresAt).Seconds())
		c.decisions.write(ctx, pod, status, logDeleted)
		c.events.Publish(expiredEvent(pod, status))
	case apierrors.IsNotFound(err):
		result, err = DeleteGone, nil
		c.decisions.write(ctx, pod, status, logGone)
	case apierrors.IsConflict(err):
		result, err = DeleteConflict, nil
		c.decisions.write(ctx, pod, status, logConflict)
	default:
		result, err = DeleteFailed, fmt.Errorf("deleting the expired pod: %w", err)
	}
	c.metrics.count(result)
	return result, err
}

// read returns the pod from the API server, or nil if it is gone or another pod has its
// name. It is a list of one object: the sweeper may list pods and need not be allowed to
// get them.
func (c *controller) read(ctx context.Context, pod *metav1.PartialObjectMetadata) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	pods := quarantinedpods.NewList()
	if err := c.live.List(ctx, pods, client.InNamespace(pod.Namespace), client.MatchingFields{"metadata.name": pod.Name}); err != nil {
		return nil, fmt.Errorf("reading the pod that changed before it could be deleted: %w", err)
	}
	for i := range pods.Items {
		if pods.Items[i].UID == pod.UID {
			return &pods.Items[i], nil
		}
	}
	return nil, nil
}
