package expiration

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

// Log messages, one for each decision about a pod.
const (
	logWaiting     = "Waiting for the pod to expire"
	logHeld        = "Pod is held; not deleting"
	logDamaged     = "Pod has a damaged record, so isolate will not delete it; release it or delete it by hand"
	logImplausible = "Pod has an expiry that can't be true, so isolate will not delete it; extend it, release it or delete it by hand"
	logServerLate  = "Pod has expired by the local clock but not by the API server's; waiting"

	logDeleted  = "Deleted the expired pod"
	logGone     = "Expired pod is already gone"
	logConflict = "Pod changed before it could be deleted; checking it again"
)

// expiredEvent is published when the API server has accepted the deletion.
func expiredEvent(pod *metav1.PartialObjectMetadata, status quarantine.Status) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeNormal, Reason: "Expired",
		Note: fmt.Sprintf("Deleted: it expired at %s. To keep a pod longer, set %s or %s=true",
			status.ExpiresAt.UTC().Format(time.RFC3339), quarantine.ExtendKey, quarantine.HoldKey),
		DedupeKey: pod.Annotations[quarantine.ExpiresAtKey],
	}
}
