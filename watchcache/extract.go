package watchcache

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
)

// extract is what a store keeps of an object, with the object's name. It is a
// [runtime.Object], so that a list can have extracts as items.
type extract interface {
	runtime.Object
	of() cache.ObjectName
}

// anyStore is a [Store] for a [Cache], which does not know the type of the extracts.
type anyStore interface {
	extract(object metav1.Object) extract
	set(e extract)
	delete(namespace, name string)
	retain(kept func(namespace, name string) bool)
}

type typedExtract[E any] struct {
	name cache.ObjectName
	kept E
}

func (e *typedExtract[E]) of() cache.ObjectName { return e.name }

// GetObjectKind implements [runtime.Object].
func (e *typedExtract[E]) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements [runtime.Object]. Nothing changes an extract.
func (e *typedExtract[E]) DeepCopyObject() runtime.Object { return e }

type typedStore[E any] struct{ store Store[E] }

func (s typedStore[E]) extract(object metav1.Object) extract {
	return &typedExtract[E]{cache.NewObjectName(object.GetNamespace(), object.GetName()), s.store.Extract(object)}
}

func (s typedStore[E]) set(e extract) {
	if typed, ok := e.(*typedExtract[E]); ok {
		s.store.Set(typed.name.Namespace, typed.name.Name, typed.kept)
	}
}

func (s typedStore[E]) delete(namespace, name string) { s.store.Delete(namespace, name) }

func (s typedStore[E]) retain(kept func(namespace, name string) bool) { s.store.Retain(kept) }

// list returns the extracts of all objects in their current state. It reads the objects page
// by page: in one answer, the ReplicaSets of a large cluster take gigabytes.
func (c *Cache) list(ctx context.Context) (runtime.Object, error) {
	list, _, err := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		page, err := c.ListWatch.ListWithContext(ctx, options)
		if err != nil {
			return nil, err
		}
		return c.extractAll(page)
	}).List(ctx, metav1.ListOptions{})
	return list, err
}

// extractAll returns a list with extracts instead of the objects.
func (c *Cache) extractAll(list runtime.Object) (runtime.Object, error) {
	about, err := meta.ListAccessor(list)
	if err != nil {
		return nil, err
	}
	extracts := &internalversion.List{ListMeta: metav1.ListMeta{ResourceVersion: about.GetResourceVersion(), Continue: about.GetContinue()}}
	err = meta.EachListItem(list, func(object runtime.Object) error {
		extract, err := c.extractOf(object)
		extracts.Items = append(extracts.Items, extract)
		return err
	})
	return extracts, err
}
