package expiration

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
)

// decisionLog logs one line for each decision. A pod in a crash loop is checked at every
// update of its status; the same decision is not logged again.
type decisionLog struct {
	mu   sync.Mutex
	last map[types.NamespacedName]decision
}

type decision struct {
	uid       types.UID
	expiresAt time.Time
	message   string
	problem   string
}

var verdictMessages = map[quarantine.Verdict]string{
	quarantine.VerdictWaiting:     logWaiting,
	quarantine.VerdictHeld:        logHeld,
	quarantine.VerdictDamaged:     logDamaged,
	quarantine.VerdictImplausible: logImplausible,
}

// verdict logs the verdict on a pod. There is nothing to log about a pod that is free or
// terminating.
func (d *decisionLog) verdict(ctx context.Context, pod *metav1.PartialObjectMetadata, verdict quarantine.Verdict, status quarantine.Status) {
	if message, ok := verdictMessages[verdict]; ok {
		d.write(ctx, pod, status, message)
	}
}

func (d *decisionLog) write(ctx context.Context, pod *metav1.PartialObjectMetadata, status quarantine.Status, message string) {
	next := decision{uid: pod.UID, expiresAt: status.ExpiresAt, message: message}
	if status.Problem != nil {
		next.problem = status.Problem.Error()
	}
	if !d.record(client.ObjectKeyFromObject(pod), next) {
		return
	}
	logger := log.FromContext(ctx) // It names the pod.
	if status.Problem != nil {
		logger.Error(status.Problem, message, "uid", pod.UID)
		return
	}
	logger.Info(message, "uid", pod.UID, "expiresAt", status.ExpiresAt.UTC(), "quarantinedBy", status.By, "reason", pod.Annotations[quarantine.ReasonKey])
}

// record reports whether the decision differs from the last one about the pod.
func (d *decisionLog) record(pod types.NamespacedName, next decision) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = map[types.NamespacedName]decision{}
	}
	differs := d.last[pod] != next
	d.last[pod] = next
	return differs
}

// forget is called for a pod that was deleted or released.
func (d *decisionLog) forget(pod *metav1.PartialObjectMetadata) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.last, client.ObjectKeyFromObject(pod))
}
