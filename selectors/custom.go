package selectors

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"isolate.example.io/watchcache"
)

// servedInterval is how often isolate tries to read a resource that the API server does not
// serve, or that isolate may not read.
const servedInterval = 2 * time.Second

// custom mirrors one custom resource once the API server serves it.
//
// A resource that was never served selects nothing, so it is not an error: its
// CustomResourceDefinition may be installed after isolate. A resource that was read and
// is no longer served is an error, as for any other resource, because its objects and
// its controller may still exist.
type custom struct {
	Resource
	client  dynamic.ResourceInterface
	cache   *watchcache.Cache
	watcher *Watcher

	// kind is the kind of the objects, which the resource's name does not contain.
	kind schema.GroupKind

	mu      sync.Mutex
	served  bool
	unknown error // why isolate does not know whether the resource is served
}

func newCustom(client dynamic.Interface, resource Resource, watcher *Watcher) *custom {
	c := &custom{Resource: resource, client: client.Resource(resource.GroupVersionResource), watcher: watcher, unknown: errNotReadYet}
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return c.client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return c.client.Watch(ctx, options)
		},
	}
	c.cache = watchcache.New(resource.GroupResource().String(), source, &unstructured.Unstructured{}, c)
	return c
}

// Run waits until the resource is served, and mirrors it until the context ends.
func (c *custom) Run(ctx context.Context) {
	if c.waitServed(ctx) {
		c.cache.Run(ctx)
	}
}

// waitServed waits until the resource can be listed. It returns false if the context
// ends first.
func (c *custom) waitServed(ctx context.Context) bool {
	ticker := time.NewTicker(servedInterval)
	defer ticker.Stop()
	var logged string
	for {
		_, err := c.client.List(ctx, metav1.ListOptions{Limit: 1})
		if ctx.Err() != nil {
			return false
		}
		c.mu.Lock()
		c.served, c.unknown = err == nil, err
		if apierrors.IsNotFound(err) {
			c.unknown = nil
		}
		c.mu.Unlock()
		logger := klog.FromContext(ctx).WithValues("resource", c.GroupResource().String())
		switch {
		case err == nil:
			logger.Info(logServed)
			return true
		case err.Error() == logged:
		case apierrors.IsNotFound(err):
			logger.Info(logNotServed)
		default:
			logger.Error(c.Err(), logUnreadable)
		}
		logged = err.Error()
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// Ready returns Err, except while the watch is being resumed; see [watchcache.Cache].
func (c *custom) Ready() error {
	if c.isServed() && c.cache.Ready() == nil {
		return nil
	}
	return c.Err()
}

// Wait waits until the resource is known, or the context ends.
func (c *custom) Wait(ctx context.Context) error {
	if c.isServed() {
		_ = c.cache.Wait(ctx) // Err explains it.
	}
	return c.Err()
}

func (c *custom) isServed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served
}

// Err returns why objects of the resource may be missing, or nil.
func (c *custom) Err() error {
	c.mu.Lock()
	served, err := c.served, c.unknown
	c.mu.Unlock()
	switch {
	case served:
		err = c.cache.Err()
	case err != nil:
		err = fmt.Errorf("reading %s: %w", c.GroupResource(), err)
	}
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w; %s", err, adviceForbidden)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w; %s", err, adviceGone)
	}
	return err
}

// absent reports whether the API server has never served the resource.
func (c *custom) absent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.served && c.unknown == nil
}

// customExtract has, in addition, the kind of the object.
type customExtract struct {
	extracted

	kind schema.GroupKind
}

// Extract implements [watchcache.Store].
func (c *custom) Extract(object metav1.Object) customExtract {
	o, ok := object.(*unstructured.Unstructured)
	if !ok {
		return customExtract{extracted: extracted{err: fmt.Errorf("%T is not a custom resource", object)}}
	}
	selecting, err := c.extract(o)
	return customExtract{extracted{selecting, err}, o.GroupVersionKind().GroupKind()}
}

// Set implements [watchcache.Store].
func (c *custom) Set(namespaceName, name string, e customExtract) {
	c.kind = e.kind
	c.watcher.set(c.kind, namespaceName, name, e.extracted)
}

// Delete implements [watchcache.Store].
func (c *custom) Delete(namespaceName, name string) {
	c.watcher.index.Delete(namespaceName, c.kind, name)
}

// Retain implements [watchcache.Store].
func (c *custom) Retain(kept func(namespaceName, name string) bool) {
	c.watcher.index.retain(c.kind, kept)
}
