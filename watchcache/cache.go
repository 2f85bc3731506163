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

// Store keeps what is needed of the objects. Its methods are called one at a time.
type Store interface {
	// Set keeps an object, in place of what was kept of its name.
	Set(object metav1.Object)

	// Delete forgets an object.
	Delete(object metav1.Object)

	// Retain forgets all objects but those that are kept.
	Retain(kept func(namespace, name string) bool)

	// Strip drops from an object what Set doesn't read, before it is held anywhere.
	Strip(object metav1.Object)
}

// Cache fills a store from a list and a watch. [Cache.Run] runs it.
type Cache struct {
	*cache.ListWatch
	resource string
	object   runtime.Object
	store    Store

	mu sync.Mutex
	// err is why the store may lack objects: they were never read, or not again
	// after a watch was lost. Only a whole list clears it.
	err error
	// watchErr is why changes don't arrive. A watch that goes on from where it was
	// lost clears it, or a whole list.
	watchErr error
}

// New returns the informer of a resource, which its errors name, whose objects
// are of this type.
func New(resource string, source *cache.ListWatch, object runtime.Object, store Store) *Cache {
	return &Cache{ListWatch: source, resource: resource, object: object, store: store, err: errors.New("not read yet")}
}

// Run follows the resource until the context ends.
func (i *Cache) Run(ctx context.Context) {
	cache.NewReflectorWithOptions(i, i.object, i, cache.ReflectorOptions{Name: "watchcache/" + i.resource}).RunWithContext(ctx)
}

// Resource is the name that New was given.
func (i *Cache) Resource() string { return i.resource }

// Err is why the store can't be relied on, in one line for people to read.
func (i *Cache) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := cmp.Or(i.err, i.watchErr); err != nil {
		return fmt.Errorf("reading %s: %w", i.resource, err)
	}
	return nil
}

// ListWithContext implements [cache.ListerWithContext].
func (i *Cache) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := i.ListWatch.ListWithContext(ctx, options)
	if err != nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.err = err
	}
	return list, err
}

// WatchWithContext implements [cache.WatcherWithContext]. A watch that begins
// with the objects there are stands for a list: it is not whole when it opens, but
// when Replace is called.
func (i *Cache) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	stream, err := i.ListWatch.WatchWithContext(ctx, options)
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case options.SendInitialEvents == nil:
		i.watchErr = err
	case err != nil:
		i.err = err
	}
	return stream, err
}

// Transformer implements [cache.TransformingStore].
func (i *Cache) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		if o, ok := object.(metav1.Object); ok {
			i.store.Strip(o)
		}
		return object, nil
	}
}

// Add implements [cache.ReflectorStore].
func (i *Cache) Add(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	i.store.Set(o)
	return nil
}

// Update implements [cache.ReflectorStore].
func (i *Cache) Update(object any) error { return i.Add(object) }

// Delete implements [cache.ReflectorStore].
func (i *Cache) Delete(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	i.store.Delete(o)
	return nil
}

// Replace implements [cache.ReflectorStore]. From then on the resource is known.
func (i *Cache) Replace(objects []any, _ string) error {
	type place struct{ namespace, name string }
	kept := make(map[place]bool, len(objects))
	for _, object := range objects {
		if err := i.Add(object); err != nil {
			return err
		}
		o, _ := object.(metav1.Object)
		kept[place{o.GetNamespace(), o.GetName()}] = true
	}
	i.store.Retain(func(namespace, name string) bool { return kept[place{namespace, name}] })
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err, i.watchErr = nil, nil
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (i *Cache) Resync() error { return nil }
