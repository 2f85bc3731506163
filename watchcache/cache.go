package watchcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Store keeps the needed part of each object. Its methods are never called concurrently.
type Store interface {
	// Set stores an object, replacing the one with the same name.
	Set(object metav1.Object)

	// Delete removes an object.
	Delete(object metav1.Object)

	// Retain removes all objects for which kept returns false.
	Retain(kept func(namespace, name string) bool)

	// Strip removes the parts of an object that Set does not read, before the object is
	// stored anywhere.
	Strip(object metav1.Object)
}

// Cache fills a store from a list and a watch. Call [Cache.Run] to run it.
type Cache struct {
	*cache.ListWatch
	resource string
	object   runtime.Object
	store    Store

	mu sync.Mutex
	// err is the reason why the store may lack objects: they were never listed, or
	// could not be listed again. Only a complete list clears it.
	err error
	// watchErr is the reason why changes do not arrive. A watch that resumes clears it,
	// and so does a complete list.
	watchErr error
}

// New returns a cache of the objects of this type. Its errors name the resource.
func New(resource string, source *cache.ListWatch, object runtime.Object, store Store) *Cache {
	return &Cache{ListWatch: source, resource: resource, object: object, store: store, err: errors.New("not read yet")}
}

// Run lists and watches the resource until the context ends.
func (c *Cache) Run(ctx context.Context) {
	cache.NewReflectorWithOptions(c, c.object, c, cache.ReflectorOptions{Name: "watchcache/" + c.resource}).RunWithContext(ctx)
}

// Resource returns the name of the resource.
func (c *Cache) Resource() string { return c.resource }

// Err returns the reason why the store may be stale, in one line for people to read,
// or nil.
func (c *Cache) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmp.Or(c.err, c.watchErr); err != nil {
		return fmt.Errorf("reading %s: %w", c.resource, err)
	}
	return nil
}

// ListWithContext implements [cache.ListerWithContext].
func (c *Cache) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := c.ListWatch.ListWithContext(ctx, options)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = err
	}
	return list, err
}

// WatchWithContext implements [cache.WatcherWithContext]. A watch with initial events
// replaces a list: it is complete when Replace is called, not when it opens.
func (c *Cache) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	stream, err := c.ListWatch.WatchWithContext(ctx, options)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case options.SendInitialEvents == nil:
		c.watchErr = err
	case err != nil:
		c.err = err
	}
	return stream, err
}

// Transformer implements [cache.TransformingStore].
func (c *Cache) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		if o, ok := object.(metav1.Object); ok {
			c.store.Strip(o)
		}
		return object, nil
	}
}

// Add implements [cache.ReflectorStore].
func (c *Cache) Add(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is not an object", object)
	}
	c.store.Set(o)
	return nil
}

// Update implements [cache.ReflectorStore].
func (c *Cache) Update(object any) error { return c.Add(object) }

// Delete implements [cache.ReflectorStore].
func (c *Cache) Delete(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is not an object", object)
	}
	c.store.Delete(o)
	return nil
}

// Replace implements [cache.ReflectorStore]. Afterwards the store is complete.
func (c *Cache) Replace(objects []any, _ string) error {
	type place struct{ namespace, name string }
	kept := make(map[place]bool, len(objects))
	for _, object := range objects {
		if err := c.Add(object); err != nil {
			return err
		}
		o, _ := object.(metav1.Object)
		kept[place{o.GetNamespace(), o.GetName()}] = true
	}
	c.store.Retain(func(namespace, name string) bool { return kept[place{namespace, name}] })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.watchErr = nil, nil
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (c *Cache) Resync() error { return nil }
