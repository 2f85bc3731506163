package quarantine

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Verdict is what a pod's metadata means for its deletion at a given time.
type Verdict string

const (
	// VerdictFree pods carry no part of the record.
	VerdictFree Verdict = "Free"
	// VerdictTerminating pods already have a deletionTimestamp. A finalizer or a lost
	// node can keep them for long; another delete does not help. (If the API server was
	// interrupted between marking a pod without a node and removing it, Kubernetes' pod
	// garbage collector removes it.)
	VerdictTerminating Verdict = "Terminating"
	// VerdictDamaged pods carry an incomplete or unreadable record.
	VerdictDamaged Verdict = "Damaged"
	// VerdictHeld pods are kept until the hold is withdrawn.
	VerdictHeld Verdict = "Held"
	// VerdictWaiting pods have not expired yet.
	VerdictWaiting Verdict = "Waiting"
	// VerdictImplausible pods have expired by a stamp that can't be true: see
	// [VerdictOf].
	VerdictImplausible Verdict = "Implausible"
	// VerdictExpired pods are to be deleted.
	VerdictExpired Verdict = "Expired"
)

// VerdictOf returns the verdict on a pod at a time, and the status on which it depends. Only a
// complete record that is consistent leads to [VerdictExpired].
//
// A webhook whose clock is behind by more than the ttl writes an expiry in the past, and
// the evidence would be deleted at once. So an expiry before the API server's own time of
// that write plus the shortest ttl is never acted on. Extending or releasing the pod repairs
// it.
func VerdictOf(pod *metav1.ObjectMeta, now time.Time) (Verdict, Status) {
	status := StatusOf(pod.Labels, pod.Annotations)
	if status.State == Quarantined && status.ExpiresAt.Before(status.QuarantinedAt) {
		status.State, status.Problem = Damaged, errStampOrder
	}
	switch {
	case status.State == Free:
		return VerdictFree, status
	case pod.DeletionTimestamp != nil:
		return VerdictTerminating, status
	case status.State != Quarantined:
		return VerdictDamaged, status
	case status.Held:
		return VerdictHeld, status
	case now.Before(status.ExpiresAt):
		return VerdictWaiting, status
	}
	if stored := storedAt(pod); status.ExpiresAt.Before(stored.Add(MinTTL - stampTolerance)) {
		status.Problem = errImplausibleExpiry(status.ExpiresAt, stored)
		return VerdictImplausible, status
	}
	return VerdictExpired, status
}
