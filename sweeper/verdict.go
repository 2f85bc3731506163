package sweeper

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

// Verdict is what the sweeper makes of a pod at a given time: the same word in
// the log and in the metrics.
type Verdict string

const (
	// VerdictFree pods carry nothing of the record.
	VerdictFree Verdict = "Free"
	// VerdictTerminating pods are being deleted already. A finalizer or a node that
	// is gone can keep them so for long; another delete would not help. (Where the
	// API server was interrupted between marking a pod without a node and removing
	// it, Kubernetes' own pod garbage collector removes it.)
	VerdictTerminating Verdict = "Terminating"
	// VerdictDamaged pods carry a record that can't be relied on.
	VerdictDamaged Verdict = "Damaged"
	// VerdictHeld pods are kept until the hold is withdrawn.
	VerdictHeld Verdict = "Held"
	// VerdictWaiting pods have time left.
	VerdictWaiting Verdict = "Waiting"
	// VerdictExpired pods are to be deleted.
	VerdictExpired Verdict = "Expired"
)

// judge says what follows from a pod's metadata at a time. Only a complete record
// that agrees with itself ever leads to VerdictExpired.
func judge(pod *metav1.PartialObjectMetadata, now time.Time) (Verdict, quarantine.Status) {
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	if status.State == quarantine.Quarantined && status.ExpiresAt.Before(status.QuarantinedAt) {
		status.State, status.Problem = quarantine.Damaged, errStampOrder
	}
	switch {
	case status.State == quarantine.Free:
		return VerdictFree, status
	case pod.DeletionTimestamp != nil:
		return VerdictTerminating, status
	case status.State != quarantine.Quarantined:
		return VerdictDamaged, status
	case status.Held:
		return VerdictHeld, status
	case now.Before(status.ExpiresAt):
		return VerdictWaiting, status
	}
	return VerdictExpired, status
}
