package leakguard

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lastSeen remembers the detachments recorded for each pod. The leak guard does not find
// every leak itself: if a controller adopts a pod, the webhook detaches the pod in that same
// write, and adds the controller to the record.
type lastSeen struct {
	mu   sync.Mutex
	pods map[types.NamespacedName]seen
}

type seen struct {
	uid          types.UID
	detachedFrom []string
}

// newSince returns the detachments added since the last call: a record only grows. On the
// first call for a pod it returns none, because those belong to the quarantine.
func (l *lastSeen) newSince(pod *metav1.PartialObjectMetadata, detachedFrom []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pods == nil {
		l.pods = map[types.NamespacedName]seen{}
	}
	name := client.ObjectKeyFromObject(pod)
	last, known := l.pods[name]
	l.pods[name] = seen{uid: pod.UID, detachedFrom: detachedFrom}
	had := len(last.detachedFrom)
	if !known || last.uid != pod.UID || len(detachedFrom) < had || !slices.Equal(detachedFrom[:had], last.detachedFrom) {
		return nil
	}
	return detachedFrom[had:]
}

func (l *lastSeen) forget(pod types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pods, pod)
}
