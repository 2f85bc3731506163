package watchcache

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// Replace implements [cache.ReflectorStore]. The store is complete then.
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
	c.endedAt = time.Time{}
	if c.current != nil { // The watch began with these objects.
		c.set(nil, nil)
	} else {
		c.set(nil, c.watchErr)
	}
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (c *Cache) Resync() error { return nil }
