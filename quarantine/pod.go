package quarantine

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// Metadata is the part of a pod's metadata that the rules read. It is decoded from JSON
// and never encoded again, so unknown fields are not lost.
type Metadata struct {
	Name              string                  `json:"name"`
	Namespace         string                  `json:"namespace"`
	UID               types.UID               `json:"uid"`
	DeletionTimestamp *time.Time              `json:"deletionTimestamp"`
	Labels            map[string]string       `json:"labels"`
	Annotations       map[string]string       `json:"annotations"`
	OwnerReferences   []metav1.OwnerReference `json:"ownerReferences"`
}

// Pod is the part of a pod that the rules read: metadata for decisions, spec and status
// for refusals and warnings.
type Pod struct {
	Metadata `json:"metadata"`

	Spec   Spec     `json:"spec"`
	Status PodState `json:"status"`
}

// Spec is the part of a pod's spec that can block a replacement or that still affects
// the pod while it is quarantined.
type Spec struct {
	HostNetwork           bool        `json:"hostNetwork"`
	InitContainers        []Container `json:"initContainers"`
	Containers            []Container `json:"containers"`
	Volumes               []Volume    `json:"volumes"`
	Affinity              Affinity    `json:"affinity"`
	ActiveDeadlineSeconds *int64      `json:"activeDeadlineSeconds"`
}

// Container is the part of a container that the rules read.
type Container struct {
	Ports []struct {
		HostPort int32 `json:"hostPort"`
	} `json:"ports"`
	LivenessProbe *struct{} `json:"livenessProbe"`

	// RestartPolicy is Always for an init container that is a sidecar.
	RestartPolicy corev1.ContainerRestartPolicy `json:"restartPolicy"`
}

// anyRuns reports whether a condition applies to a container that runs as long as the pod:
// any but the init containers that end before the others start.
func (s *Spec) anyRuns(applies func(Container) bool) bool {
	return slices.ContainsFunc(s.Containers, applies) || slices.ContainsFunc(s.InitContainers, func(c Container) bool {
		return c.RestartPolicy == corev1.ContainerRestartPolicyAlways && applies(c)
	})
}

// Volume is the part of a volume that the rules read.
type Volume struct {
	PersistentVolumeClaim *struct {
		ClaimName string `json:"claimName"`
	} `json:"persistentVolumeClaim"`
}

// Affinity is the part of a pod's affinity that the rules read.
type Affinity struct {
	PodAntiAffinity struct {
		Required []AntiAffinityTerm `json:"requiredDuringSchedulingIgnoredDuringExecution"`
	} `json:"podAntiAffinity"`
}

// AntiAffinityTerm keeps pods that the selector matches out of the topology of the pod.
type AntiAffinityTerm struct {
	LabelSelector *metav1.LabelSelector `json:"labelSelector"`
	TopologyKey   string                `json:"topologyKey"`
}

// PodState is the part of a pod's status that the rules read.
type PodState struct {
	Phase      corev1.PodPhase `json:"phase"`
	Conditions []Condition     `json:"conditions"`
	StartTime  *time.Time      `json:"startTime"`
}

// Condition is the part of a pod's condition that the rules read.
type Condition struct {
	Type               corev1.PodConditionType `json:"type"`
	Status             corev1.ConditionStatus  `json:"status"`
	LastTransitionTime time.Time               `json:"lastTransitionTime"`
}

// controllerRef returns the pod's controller, or nil.
func (m *Metadata) controllerRef() *Owner { return controllerRef(m.OwnerReferences) }

// controllerRef returns the controller among the owners, or nil.
func controllerRef(refs []metav1.OwnerReference) *Owner {
	for _, ref := range refs {
		if isController(ref) {
			return ownerOf(ref)
		}
	}
	return nil
}

func isController(ref metav1.OwnerReference) bool { return ref.Controller != nil && *ref.Controller }

func ownerOf(ref metav1.OwnerReference) *Owner {
	return &Owner{Kind: schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(), Name: ref.Name, UID: ref.UID}
}

// mergeOwners returns the owners, and those of more whose UIDs they lack.
func mergeOwners(owners, more []metav1.OwnerReference) []metav1.OwnerReference {
	merged, known := slices.Clone(owners), ownerUIDs(owners)
	for _, ref := range more {
		if !known.Has(ref.UID) {
			known.Insert(ref.UID)
			merged = append(merged, ref)
		}
	}
	return merged
}

// ownerUIDs returns the owners' UIDs. A review that the API server did not send may have any
// number of owners, so none is searched for in a list.
func ownerUIDs(refs []metav1.OwnerReference) sets.Set[types.UID] {
	uids := make(sets.Set[types.UID], len(refs))
	for i := range refs {
		uids.Insert(refs[i].UID)
	}
	return uids
}

// String names the object as kubectl does: ReplicaSet/web-5d4.
func (o *Owner) String() string { return o.Kind.Kind + "/" + o.Name }
