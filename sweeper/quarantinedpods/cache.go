package quarantinedpods

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

// New returns a pod to read metadata into.
func New() *metav1.PartialObjectMetadata {
	pod := &metav1.PartialObjectMetadata{}
	pod.SetGroupVersionKind(podKind)
	return pod
}

// NewList returns a list of pods to read metadata into.
func NewList() *metav1.PartialObjectMetadataList {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(podKind)
	return pods
}

// Names lists the names of the quarantined pods in a namespace, or in all namespaces if
// it is empty. The reader is the manager's cache.
func Names(ctx context.Context, reader client.Reader, namespace string) ([]types.NamespacedName, error) {
	pods := NewList()
	if err := reader.List(ctx, pods, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	names := make([]types.NamespacedName, len(pods.Items))
	for i := range pods.Items {
		names[i] = client.ObjectKeyFromObject(&pods.Items[i])
	}
	return names, nil
}

// Lister returns a function that lists the names of all quarantined pods.
func Lister(reader client.Reader) func(context.Context) ([]types.NamespacedName, error) {
	return func(ctx context.Context) ([]types.NamespacedName, error) { return Names(ctx, reader, "") }
}

// CacheOptions makes the manager's cache hold quarantined pods only, and of those only
// the metadata that a decision needs.
func CacheOptions() cache.Options {
	quarantined := labels.SelectorFromSet(labels.Set{quarantine.QuarantinedLabel: quarantine.QuarantinedValue})
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		New(): {Label: quarantined, Transform: trim},
	}}
}

// trim removes what the cache does not need: annotations of others, which can have 256 KiB,
// and managed fields that are not about a quarantine.
func trim(object any) (any, error) {
	pod, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	pod.ManagedFields = quarantine.TriggerWrites(pod.ManagedFields)
	for key := range pod.Annotations {
		if !strings.HasPrefix(key, quarantine.Domain) {
			delete(pod.Annotations, key)
		}
	}
	return pod, nil
}
