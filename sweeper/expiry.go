package sweeper

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
)

// deleteTimeout is within the time that a manager waits for its controllers to end.
const deleteTimeout = 20 * time.Second

// conflictRetry is when a pod is looked at again that changed before it could be
// deleted. The watch event of that change comes first; this is for a conflict
// without one.
const conflictRetry = 10 * time.Second

// Outcome is how a deletion ended.
type Outcome string

const (
	// OutcomeDeleted means that the API server took the deletion.
	OutcomeDeleted Outcome = "deleted"
	// OutcomeGone means that someone else was quicker.
	OutcomeGone Outcome = "gone"
	// OutcomeConflict means that the pod is no longer what was judged, and is judged again.
	OutcomeConflict Outcome = "conflict"
	// OutcomeFailed means that the API server refused or could not be reached, and is asked
	// again after a while.
	OutcomeFailed Outcome = "failed"
)

// expiry deletes each quarantined pod when its time is up.
//
// A pod is judged by the cache, which may lag. So the delete carries the UID and
// the resourceVersion of the very object that was judged: if the pod was held,
// extended, released or replaced a moment earlier, the API server refuses, and the
// pod is judged again once the cache has followed. No read precedes the delete:
// the preconditions tell more than it could.
//
// A pod with time left sleeps for exactly that. Everything else that could change
// the verdict arrives as a watch event, but for a clock that is set: see steps. One
// that leaves without having been deleted was released.
type expiry struct {
	reader   client.Reader
	writer   corev1client.PodsGetter
	local    clock.PassiveClock
	clocks   *clocks
	metrics  *metrics
	events   *publisher
	releases *releases
	journal  journal
}

// Reconcile implements [reconcile.Reconciler].
func (e *expiry) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := newPod()
	if err := e.reader.Get(ctx, request.NamespacedName, pod); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	} else if err != nil {
		e.journal.forget(request.NamespacedName)
		return reconcile.Result{}, e.releases.left(ctx, request.NamespacedName)
	}
	now := e.local.Now()
	verdict, status := judge(pod, now)
	if verdict == VerdictTerminating {
		e.releases.forget(request.NamespacedName)
	} else {
		e.releases.follow(request.NamespacedName, pod.UID)
	}
	if verdict == VerdictExpired {
		var err error
		if now, err = e.clocks.now(ctx); err != nil {
			return reconcile.Result{}, fmt.Errorf("reading the API server's time: %w", err)
		}
		if verdict, _ = judge(pod, now); verdict == VerdictExpired {
			return e.delete(ctx, pod, status)
		}
		e.journal.write(ctx, pod, status, logServerLate)
		return reconcile.Result{RequeueAfter: status.ExpiresAt.Sub(now)}, nil
	}
	e.journal.verdict(ctx, pod, verdict, status)
	if verdict == VerdictWaiting {
		return reconcile.Result{RequeueAfter: status.ExpiresAt.Sub(now)}, nil
	}
	return reconcile.Result{}, nil
}

// delete deletes the pod as it was judged, or nothing. A deletion on its way is
// finished when the sweeper is asked to stop: interrupted, the API server can leave
// the pod marked but not removed, and nobody would have logged or counted it.
func (e *expiry) delete(ctx context.Context, pod *metav1.PartialObjectMetadata, status quarantine.Status) (reconcile.Result, error) {
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	e.events.first.begin()
	err := e.writer.Pods(pod.Namespace).Delete(request, pod.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion},
	})
	e.events.first.end()
	if client.IgnoreNotFound(err) == nil {
		e.releases.forget(client.ObjectKeyFromObject(pod))
	}
	switch {
	case err == nil:
		e.metrics.deleted(e.local.Now().Sub(status.ExpiresAt))
		e.journal.write(ctx, pod, status, logDeleted)
		e.events.publish(event{
			regarding: podReference(pod), reason: ReasonExpired,
			note: noteExpired(status), once: pod.Annotations[quarantine.ExpiresAtKey],
		})
		return reconcile.Result{}, nil
	case apierrors.IsNotFound(err):
		e.metrics.ended(OutcomeGone)
		e.journal.write(ctx, pod, status, logGone)
		return reconcile.Result{}, nil
	case apierrors.IsConflict(err):
		e.metrics.ended(OutcomeConflict)
		e.journal.write(ctx, pod, status, logConflict)
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	}
	e.metrics.ended(OutcomeFailed)
	return reconcile.Result{}, fmt.Errorf("deleting the expired pod: %w", err)
}
