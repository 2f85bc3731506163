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

// NamespaceConfigs has isolate's configuration by annotations of Namespaces. It logs an
// invalid annotation when it appears, and counts it as long as it exists.
type NamespaceConfigs struct {
	config  quarantine.Config
	logger  logr.Logger
	metrics *Metrics
	cache   *watchcache.Cache

	mu      sync.RWMutex
	configs map[string]map[string]string
	// invalid counts the invalid annotations of each Namespace.
	invalid map[string]int
}

// NewNamespaceConfigs returns the configuration of Namespaces, validated as overrides
// of config. [NamespaceConfigs.Start] fills it.
func NewNamespaceConfigs(client metadata.Interface, config quarantine.Config, logger logr.Logger, metrics *Metrics) *NamespaceConfigs {
	n := newNamespaceConfigs(config, logger, metrics)
	n.cache = watchcache.NewMetadata(client, corev1.SchemeGroupVersion.WithResource("namespaces"), "", n)
	return n
}

func newNamespaceConfigs(config quarantine.Config, logger logr.Logger, metrics *Metrics) *NamespaceConfigs {
	return &NamespaceConfigs{config: config, logger: logger, metrics: metrics,
		configs: map[string]map[string]string{}, invalid: map[string]int{}}
}

// Start watches the Namespaces until the context ends. It implements
// controller-runtime's manager.Runnable.
func (n *NamespaceConfigs) Start(ctx context.Context) error {
	n.cache.Run(ctx)
	return nil
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable.
func (n *NamespaceConfigs) NeedLeaderElection() bool { return false }

// Ready implements controller-runtime's healthz.Checker.
func (n *NamespaceConfigs) Ready(*http.Request) error { return n.cache.Ready() }

// Wait waits until the Namespaces are known, or the context ends.
func (n *NamespaceConfigs) Wait(ctx context.Context) error { return n.cache.Wait(ctx) }

// NamespaceConfig returns isolate's annotations on a Namespace. The error says why
// the Namespaces are unknown.
func (n *NamespaceConfigs) NamespaceConfig(namespace string) (map[string]string, error) {
	if err := n.cache.Err(); err != nil {
		return nil, err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.configs[namespace], nil
}

// Extract implements [watchcache.Store].
func (n *NamespaceConfigs) Extract(object metav1.Object) map[string]string {
	config := map[string]string{}
	for key, value := range object.GetAnnotations() {
		if quarantine.IsNamespaceKey(key) {
			config[key] = value
		}
	}
	return config
}

// Set implements [watchcache.Store].
func (n *NamespaceConfigs) Set(_, name string, config map[string]string) {
	_, errs := n.config.ForNamespace(config)
	n.mu.Lock()
	defer n.mu.Unlock()
	if maps.Equal(n.configs[name], config) {
		return
	}
	n.remove(name)
	if len(config) > 0 {
		n.configs[name] = config
	}
	if err := errs.ToAggregate(); err != nil {
		n.invalid[name] = len(errs)
		n.logger.Error(err, logInvalidNamespace, "namespace", name)
	}
	n.count()
}

// Delete implements [watchcache.Store].
func (n *NamespaceConfigs) Delete(_, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(name)
	n.count()
}

// Retain implements [watchcache.Store].
func (n *NamespaceConfigs) Retain(kept func(namespace, name string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.configs {
		if !kept("", name) {
			n.remove(name)
		}
	}
	n.count()
}

func (n *NamespaceConfigs) remove(name string) {
	delete(n.configs, name)
	delete(n.invalid, name)
}

func (n *NamespaceConfigs) count() {
	total := 0
	for _, invalid := range n.invalid {
		total += invalid
	}
	n.metrics.invalidNamespaceConfigs.Set(float64(total))
}
