package quarantine

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Metadata is the part of a pod's metadata that the rules read. It is decoded
// from JSON and never encoded again, so fields it doesn't know are not lost.
type Metadata struct {
	Name              string                  `json:"name"`
	GenerateName      string                  `json:"generateName"`
	Namespace         string                  `json:"namespace"`
	UID               types.UID               `json:"uid"`
	CreationTimestamp metav1.Time             `json:"creationTimestamp"`
	DeletionTimestamp *metav1.Time            `json:"deletionTimestamp"`
	Labels            map[string]string       `json:"labels"`
	Annotations       map[string]string       `json:"annotations"`
	OwnerReferences   []metav1.OwnerReference `json:"ownerReferences"`
}

// Pod is the part of a pod that the rules read: metadata to decide, spec and
// status to refuse and to warn.
type Pod struct {
	Metadata `json:"metadata"`

	Spec   Spec     `json:"spec"`
	Status PodState `json:"status"`
}

// Spec is the part of a pod's spec that stands in the way of a replacement or
// goes on acting on the quarantined pod.
type Spec struct {
	HostNetwork bool             `json:"hostNetwork"`
	Containers  []Container      `json:"containers"`
	Volumes     []Volume         `json:"volumes"`
	Affinity    *corev1.Affinity `json:"affinity"`
}

// Container is the part of a container that the rules read.
type Container struct {
	Ports []struct {
		HostPort int32 `json:"hostPort"`
	} `json:"ports"`
	LivenessProbe *struct{} `json:"livenessProbe"`
}

// Volume is the part of a volume that the rules read.
type Volume struct {
	PersistentVolumeClaim *struct {
		ClaimName string `json:"claimName"`
	} `json:"persistentVolumeClaim"`
}

// PodState is the part of a pod's status that the rules read.
type PodState struct {
	Phase      corev1.PodPhase       `json:"phase"`
	Conditions []corev1.PodCondition `json:"conditions"`
}

// controller is the pod's managing owner, nil if it has none.
func (m *Metadata) controller() *Owner {
	for i := range m.OwnerReferences {
		if ref := &m.OwnerReferences[i]; ref.Controller != nil && *ref.Controller {
			kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
			return &Owner{Kind: kind, Name: ref.Name, UID: ref.UID}
		}
	}
	return nil
}

// String names the object as kubectl does: ReplicaSet/web-5d4.
func (o *Owner) String() string { return o.Kind.Kind + "/" + o.Name }
