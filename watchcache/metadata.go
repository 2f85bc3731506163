package watchcache

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

// NewMetadata returns a cache of a resource's metadata in all namespaces, of the
// objects that match a label selector. An empty selector matches all.
func NewMetadata[E any](client metadata.Interface, resource schema.GroupVersionResource, selector string, store Store[E]) *Cache {
	objects := client.Resource(resource)
	return New(resource.Resource, &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = selector
			return objects.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = selector
			return objects.Watch(ctx, options)
		},
	}, &metav1.PartialObjectMetadata{}, store)
}
