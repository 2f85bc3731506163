package sweeper

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

// journal logs one line for each decision. A pod in a crash loop is judged with
// every update of its status; what was decided before is not logged again.
type journal struct {
	mu   sync.Mutex
	last map[types.NamespacedName]entry
}

type entry struct {
	uid       types.UID
	expiresAt time.Time
	message   string
	problem   string
}

var verdictMessages = map[Verdict]string{
	VerdictWaiting: logWaiting,
	VerdictHeld:    logHeld,
	VerdictDamaged: logDamaged,
}

// verdict logs what was made of a pod. Nothing is said of one that is free, or that
// is being deleted: that was said before.
func (j *journal) verdict(ctx context.Context, pod *metav1.PartialObjectMetadata, verdict Verdict, status quarantine.Status) {
	if message, ok := verdictMessages[verdict]; ok {
		j.write(ctx, pod, status, message)
	}
}

func (j *journal) write(ctx context.Context, pod *metav1.PartialObjectMetadata, status quarantine.Status, message string) {
	e := entry{uid: pod.UID, expiresAt: status.ExpiresAt, message: message}
	if status.Problem != nil {
		e.problem = status.Problem.Error()
	}
	if !j.note(client.ObjectKeyFromObject(pod), e) {
		return
	}
	logger := log.FromContext(ctx) // It carries namespace and name.
	if status.Problem != nil {
		logger.Error(status.Problem, message, "uid", pod.UID)
		return
	}
	logger.Info(message, "uid", pod.UID, "expires-at", status.ExpiresAt.UTC(), "by", status.By, "reason", pod.Annotations[quarantine.ReasonKey])
}

// note reports whether this is news.
func (j *journal) note(pod types.NamespacedName, e entry) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil {
		j.last = map[types.NamespacedName]entry{}
	}
	news := j.last[pod] != e
	j.last[pod] = e
	return news
}

func (j *journal) forget(pod types.NamespacedName) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.last, pod)
}
