package quarantinedpods

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/quarantine"
)

// Reference returns the reference by which an event names the pod.
func Reference(pod *metav1.PartialObjectMetadata) corev1.ObjectReference {
	return corev1.ObjectReference{
		APIVersion: podKind.GroupVersion().String(), Kind: podKind.Kind,
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
	}
}

// FormerController returns the reference to the controller that the pod's record names,
// and false if the pod had none.
func FormerController(pod *metav1.PartialObjectMetadata, record quarantine.Record) (corev1.ObjectReference, bool) {
	for i := range record.OwnerReferences {
		if ref := &record.OwnerReferences[i]; ref.Controller != nil && *ref.Controller {
			return corev1.ObjectReference{
				APIVersion: ref.APIVersion, Kind: ref.Kind,
				Namespace: pod.Namespace, Name: ref.Name, UID: ref.UID,
			}, true
		}
	}
	return corev1.ObjectReference{}, false
}

// LookupController returns the controller, or nil if it is gone. The selectors must be those
// of its namespace.
func LookupController(selectors quarantine.Selectors, ref corev1.ObjectReference) *quarantine.SelectingObject {
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
	if found := selectors.Lookup(kind, ref.Name); found != nil && found.UID == ref.UID {
		return found
	}
	return nil
}

// AnnotateCommand returns the kubectl command that changes annotations of the pod. It
// works wherever it is pasted.
func AnnotateCommand(pod *metav1.PartialObjectMetadata, annotations ...string) string {
	return fmt.Sprintf("kubectl annotate pod -n %s %s %s", pod.Namespace, pod.Name, strings.Join(annotations, " "))
}
