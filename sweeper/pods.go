package sweeper

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

func newPod() *metav1.PartialObjectMetadata {
	pod := &metav1.PartialObjectMetadata{}
	pod.SetGroupVersionKind(podKind)
	return pod
}

func newPodList() *metav1.PartialObjectMetadataList {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(podKind)
	return pods
}

// CacheOptions has the cache hold quarantined pods alone, and of those only the
// metadata that a decision looks at.
func CacheOptions() cache.Options {
	quarantined := labels.SelectorFromSet(labels.Set{quarantine.QuarantinedLabel: quarantine.QuarantinedValue})
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		newPod(): {Label: quarantined, Transform: strip},
	}}
}

// strip drops what the cache need not hold: managed fields, and the annotations of
// others, of which a pod can have 256 KiB.
func strip(object any) (any, error) {
	pod, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	pod.ManagedFields = nil
	for key := range pod.Annotations {
		if !strings.HasPrefix(key, quarantine.Domain) {
			delete(pod.Annotations, key)
		}
	}
	return pod, nil
}
