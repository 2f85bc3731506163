package sweeper

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
)

const (
	// A pod's end is announced when a tenth of its time is left, or this much.
	soonShare, soonAtMost = 10, 15 * time.Minute

	// terminatingPatience is how long after its grace period a pod may take to go.
	terminatingPatience = time.Minute
)

// announcements tell by events what becomes of each quarantined pod: that it was
// quarantined, that its time is nearly up, that its record is damaged, that it doesn't
// go. (That it expired or was released is told by who deletes it, that it leaked by
// who found it.)
type announcements struct {
	reader    client.Reader
	selectors Selectors
	local     clock.PassiveClock
	events    *publisher
}

// Reconcile implements [reconcile.Reconciler].
func (a *announcements) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := newPod()
	if err := a.reader.Get(ctx, request.NamespacedName, pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := a.local.Now()
	verdict, status := judge(pod, now)
	switch verdict {
	case VerdictDamaged:
		a.events.publish(badRecord(pod, status.Problem))
		return reconcile.Result{}, nil
	case VerdictTerminating:
		return a.terminating(pod, now), nil
	default: // The quarantine has something left to announce.
	}
	if now.Sub(status.QuarantinedAt) < newsAge {
		if err := a.quarantined(pod, status); err != nil { // What could not be read is logged where it is read.
			log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
			return reconcile.Result{RequeueAfter: unknownRetry}, nil
		}
	}
	if verdict != VerdictWaiting {
		return reconcile.Result{}, nil
	}
	if wait := soon(status).Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	a.events.publish(event{
		regarding: podReference(pod), reason: ReasonExpiresSoon, warning: true,
		note: noteExpiresSoon(pod, status), once: pod.Annotations[quarantine.ExpiresAtKey],
	})
	return reconcile.Result{}, nil
}

// soon is when the end of a pod is announced.
func soon(status quarantine.Status) time.Time {
	whole := status.ExpiresAt.Sub(status.QuarantinedAt)
	return status.ExpiresAt.Add(-min(whole/soonShare, soonAtMost))
}

// quarantined tells the pod, and its former controller, that it was taken out.
func (a *announcements) quarantined(pod *metav1.PartialObjectMetadata, status quarantine.Status) error {
	at := pod.Annotations[quarantine.QuarantinedAtKey]
	if owner, ok := ownerReference(pod, status.Record); ok {
		known, err := a.selectors.Namespace(pod.Namespace)
		if err != nil {
			return fmt.Errorf("looking up the pod's former controller: %w", err)
		}
		a.events.publish(event{
			regarding: owner, reason: ReasonQuarantined,
			note: noteLeft(pod, controllerIn(known, owner)), once: string(pod.UID) + at,
		})
	}
	a.events.publish(event{
		regarding: podReference(pod), reason: ReasonQuarantined,
		note: noteQuarantined(pod, status), once: at,
	})
	return nil
}

func badRecord(pod *metav1.PartialObjectMetadata, problem error) event {
	return event{
		regarding: podReference(pod), reason: ReasonBadRecord, warning: true,
		note: noteBadRecord(pod, problem), once: problem.Error(),
	}
}

// terminating tells of a pod that doesn't go, once. Another delete wouldn't help.
func (a *announcements) terminating(pod *metav1.PartialObjectMetadata, now time.Time) reconcile.Result {
	late := pod.DeletionTimestamp.Add(terminatingPatience) // The grace period is in it.
	if wait := late.Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}
	}
	a.events.publish(event{
		regarding: podReference(pod), reason: ReasonStillTerminating, warning: true,
		note: noteTerminating(pod), once: strings.Join(pod.Finalizers, ","),
	})
	return reconcile.Result{}
}
