package sweeper

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Changes collects the namespaces in which a selector has appeared or changed,
// for the leak guard to look at their pods.
type Changes struct {
	mu         sync.Mutex
	namespaces map[string]bool
	wake       chan struct{}
}

// NewChanges returns an empty collection.
func NewChanges() *Changes {
	return &Changes{namespaces: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// Add notes a namespace. It never waits.
func (c *Changes) Add(namespace string) {
	c.mu.Lock()
	c.namespaces[namespace] = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Changes) take() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.namespaces
	c.namespaces = map[string]bool{}
	return taken
}

// woken is the source of the pods in the namespaces that were noted.
type woken struct {
	changes *Changes
	pods    client.Reader
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/source.Source].
func (w *woken) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.changes.wake:
			}
			for namespace := range w.changes.take() {
				pods := newPodList()
				if err := w.pods.List(ctx, pods, client.InNamespace(namespace)); err != nil {
					log.FromContext(ctx).Error(err, logUnlisted, "namespace", namespace)
				}
				for i := range pods.Items {
					queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pods.Items[i])})
				}
			}
		}
	}()
	return nil
}
