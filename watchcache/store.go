package watchcache

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// Store keeps an extract of each object. All methods but Extract are called by one
// goroutine.
type Store[E any] interface {
	// Extract returns what the store keeps of an object, and nothing that refers to the
	// object: the extracts of all objects are in memory before the first is stored.
	Extract(object metav1.Object) E

	// Set stores the extract of an object, replacing that of the object with the same name.
	Set(namespace, name string, extract E)

	// Delete removes an object.
	Delete(namespace, name string)

	// Retain removes all objects for which kept returns false.
	Retain(kept func(namespace, name string) bool)
}

// Transformer implements [cache.TransformingStore], so that a list that is streamed is
// never in memory as objects.
func (c *Cache) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		if o, ok := object.(metav1.Object); ok {
			return c.store.extract(o), nil
		}
		return object, nil
	}
}

// Add implements [cache.ReflectorStore].
func (c *Cache) Add(object any) error {
	extract, err := c.extractOf(object)
	if err != nil {
		return err
	}
	c.store.set(extract)
	return nil
}

// extractOf returns the extract of an object, or an extract as it is.
func (c *Cache) extractOf(object any) (extract, error) {
	switch o := object.(type) {
	case extract:
		return o, nil
	case metav1.Object:
		return c.store.extract(o), nil
	}
	return nil, fmt.Errorf("%T is not an object", object)
}

// Update implements [cache.ReflectorStore].
func (c *Cache) Update(object any) error { return c.Add(object) }

// Delete implements [cache.ReflectorStore].
func (c *Cache) Delete(object any) error {
	o, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%T is not an object", object)
	}
	c.store.delete(o.GetNamespace(), o.GetName())
	return nil
}

// Replace implements [cache.ReflectorStore]. The store is complete then.
func (c *Cache) Replace(objects []any, _ string) error {
	kept := make(map[cache.ObjectName]bool, len(objects))
	for _, object := range objects {
		extract, err := c.extractOf(object)
		if err != nil {
			return err
		}
		c.store.set(extract)
		kept[extract.of()] = true
	}
	c.store.retain(func(namespace, name string) bool { return kept[cache.NewObjectName(namespace, name)] })
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
