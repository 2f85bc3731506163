package sweeper

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// releases tell of pods that are no longer quarantined. One that leaves the cache was
// released, or deleted; the cache doesn't tell which, and the API server has to be
// asked. Not so for those that the sweeper has deleted itself, or saw being deleted:
// expiry, which looks at one pod but once at a time, has them forgotten.
type releases struct {
	live   client.Reader
	events *publisher

	mu   sync.Mutex
	pods map[types.NamespacedName]types.UID
}

func newReleases(live client.Reader, events *publisher) *releases {
	return &releases{live: live, events: events, pods: map[types.NamespacedName]types.UID{}}
}

// follow notes that a pod is quarantined.
func (r *releases) follow(name types.NamespacedName, uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods[name] = uid
}

// forget notes that a pod is being deleted: nothing else will become of it.
func (r *releases) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pods, name)
}

// left tells of a pod that is no longer quarantined, if that is why it left the cache.
func (r *releases) left(ctx context.Context, name types.NamespacedName) error {
	r.mu.Lock()
	uid, followed := r.pods[name]
	r.mu.Unlock()
	if !followed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout) // Others wait to be deleted.
	defer cancel()
	pods := newPodList()
	if err := r.live.List(ctx, pods, client.InNamespace(name.Namespace), client.MatchingFields{"metadata.name": name.Name}); err != nil {
		return fmt.Errorf("looking whether the pod was released: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		free := quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free
		if pod.UID == uid && free && pod.DeletionTimestamp == nil {
			r.events.publish(event{
				regarding: podReference(pod), reason: ReasonReleased,
				note: noteReleased(pod), once: pod.ResourceVersion,
			})
		}
	}
	r.forget(name)
	return nil
}
