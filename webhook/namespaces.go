package webhook

import (
	"context"
	"maps"
	"net/http"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

// Namespaces knows what each namespace sets for itself. What it sets badly is
// logged as it comes, and counted as long as it stays.
type Namespaces struct {
	rules    quarantine.Config
	logger   logr.Logger
	metrics  *Metrics
	informer *watchcache.Cache

	mu       sync.RWMutex
	settings map[string]map[string]string
	// wrong is how many settings of a namespace can't be read, if any.
	wrong map[string]int
}

// NewNamespaces returns settings, of these rules, that are filled once it is started.
func NewNamespaces(client metadata.Interface, rules quarantine.Config, logger logr.Logger, metrics *Metrics) *Namespaces {
	n := newNamespaces(rules, logger, metrics)
	n.informer = watchcache.NewMetadata(client, corev1.SchemeGroupVersion.WithResource("namespaces"), "", n)
	return n
}

func newNamespaces(rules quarantine.Config, logger logr.Logger, metrics *Metrics) *Namespaces {
	return &Namespaces{rules: rules, logger: logger, metrics: metrics,
		settings: map[string]map[string]string{}, wrong: map[string]int{}}
}

// Start follows the namespaces until the context ends. It implements
// controller-runtime's manager.Runnable.
func (n *Namespaces) Start(ctx context.Context) error {
	n.informer.Run(ctx)
	return nil
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable.
func (n *Namespaces) NeedLeaderElection() bool { return false }

// Ready implements controller-runtime's healthz.Checker.
func (n *Namespaces) Ready(*http.Request) error { return n.informer.Err() }

// Settings are the annotations of isolate that a namespace has. It fails while the
// namespaces aren't known.
func (n *Namespaces) Settings(namespace string) (map[string]string, error) {
	if err := n.informer.Err(); err != nil {
		return nil, err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.settings[namespace], nil
}

// Strip implements [watchcache.Store].
func (n *Namespaces) Strip(object metav1.Object) {
	object.SetManagedFields(nil)
}

// Set implements [watchcache.Store].
func (n *Namespaces) Set(object metav1.Object) {
	settings := map[string]string{}
	for key, value := range object.GetAnnotations() {
		if quarantine.IsNamespaceKey(key) {
			settings[key] = value
		}
	}
	_, errs := n.rules.ForNamespace(settings)
	n.mu.Lock()
	defer n.mu.Unlock()
	if maps.Equal(n.settings[object.GetName()], settings) {
		return
	}
	n.forget(object.GetName())
	if len(settings) > 0 {
		n.settings[object.GetName()] = settings
	}
	if err := errs.ToAggregate(); err != nil {
		n.wrong[object.GetName()] = len(errs)
		n.logger.Error(err, "A setting of the namespace can't be read, the flag's value counts", "namespace", object.GetName())
	}
	n.count()
}

// Delete implements [watchcache.Store].
func (n *Namespaces) Delete(object metav1.Object) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(object.GetName())
	n.count()
}

// Retain implements [watchcache.Store].
func (n *Namespaces) Retain(kept func(namespace, name string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.settings {
		if !kept("", name) {
			n.forget(name)
		}
	}
	n.count()
}

func (n *Namespaces) forget(name string) {
	delete(n.settings, name)
	delete(n.wrong, name)
}

func (n *Namespaces) count() {
	total := 0
	for _, wrong := range n.wrong {
		total += wrong
	}
	n.metrics.badSettings.Set(float64(total))
}
