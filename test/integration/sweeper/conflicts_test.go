package sweeper

import (
	"context"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// conflicts changes each pod named conflict-… just before its first deletion.
type conflicts struct {
	namespace string

	mu   sync.Mutex
	done map[string]bool
}

func newConflicts(namespace string) *conflicts {
	return &conflicts{namespace: namespace, done: map[string]bool{}}
}

// cause is for [network.beforeDelete].
func (c *conflicts) cause(name string) error {
	c.mu.Lock()
	done := c.done[name] || !strings.HasPrefix(name, "conflict-")
	c.done[name] = true
	c.mu.Unlock()
	if done {
		return nil
	}
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = c.namespace, name
	return admin.Status().Patch(context.Background(), pod, client.RawPatch("application/merge-patch+json", []byte(`{"status":{"message":"changed"}}`)))
}

// countEvents counts the events of a namespace that have a reason.
func countEvents(ctx context.Context, namespace, reason string) (int, error) {
	events := &eventsv1.EventList{}
	if err := admin.List(ctx, events, client.InNamespace(namespace)); err != nil {
		return 0, err
	}
	count := 0
	for i := range events.Items {
		if events.Items[i].Reason == reason {
			count++
		}
	}
	return count, nil
}
