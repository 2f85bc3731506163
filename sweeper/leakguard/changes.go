package leakguard

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/sweeper/quarantinedpods"
)

// Changes collects the namespaces in which a selector appeared or changed. The leak
// guard then checks the quarantined pods there.
type Changes struct {
	mu         sync.Mutex
	namespaces map[string]bool
	added      chan struct{}
}

// NewChanges returns an empty collection.
func NewChanges() *Changes {
	return &Changes{namespaces: map[string]bool{}, added: make(chan struct{}, 1)}
}

// Add adds a namespace. It never blocks.
func (c *Changes) Add(namespace string) {
	c.mu.Lock()
	c.namespaces[namespace] = true
	c.mu.Unlock()
	select {
	case c.added <- struct{}{}:
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

// changeSource enqueues the pods of the namespaces in which a selector changed.
type changeSource struct {
	changes *Changes
	pods    client.Reader
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/source.Source].
func (s *changeSource) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.changes.added:
			}
			for namespace := range s.changes.take() {
				names, err := quarantinedpods.Names(ctx, s.pods, namespace)
				if err != nil {
					log.FromContext(ctx).Error(err, logUnlisted, "namespace", namespace)
				}
				for _, name := range names {
					queue.Add(reconcile.Request{NamespacedName: name})
				}
			}
		}
	}()
	return nil
}
