package quarantine

import (
	"iter"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
)

// The selecting kinds. A kind is a group and a kind: apps.kruise.io has a StatefulSet
// of its own.
var (
	KindService               = schema.GroupKind{Kind: "Service"}
	KindReplicationController = schema.GroupKind{Kind: "ReplicationController"}
	KindReplicaSet            = schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}
	KindStatefulSet           = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	KindDaemonSet             = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	KindJob                   = schema.GroupKind{Group: "batch", Kind: "Job"}
	KindPodDisruptionBudget   = schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}
)

// KindNetworkPolicy selects pods, but a quarantine only reports which ones are lost.
var KindNetworkPolicy = schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"}

// replacing lists the kinds of controllers that start a replacement for a pod whose
// labels have changed. A StatefulSet can't: its replacement needs the pod's name.
var replacing = []schema.GroupKind{KindReplicationController, KindReplicaSet, KindDaemonSet, KindJob}

// SelectingObject is an object that selects pods of its namespace, with the fields that
// a decision needs. It is shared and must not be changed.
type SelectingObject struct {
	Kind schema.GroupKind
	Name string
	UID  types.UID

	// Requirements are the object's selector: a pod matches if it matches all of them.
	// A Service always has some, as one without a selector selects nothing; a
	// PodDisruptionBudget that selects all pods has none.
	Requirements labels.Requirements

	// Controller is the object's own controller, such as a ReplicaSet's Deployment, or
	// nil.
	Controller *Owner

	// Desired is the number of pods in the object's spec; Current, Ready and Available
	// are those in its status. All are 0 for a kind without such numbers (Service,
	// PodDisruptionBudget).
	Desired, Current, Ready, Available int32

	// Ended says that a Job has completed or failed: it no longer starts, adopts or
	// deletes pods.
	Ended bool

	// ManagedBy is the controller to which a Job's spec.managedBy leaves the Job, or
	// empty if that is Kubernetes' own.
	ManagedBy string

	// NoDisruption says that a PodDisruptionBudget allows no disruption at present.
	NoDisruption bool
}

// Owner identifies the owner of an object.
type Owner struct {
	Kind schema.GroupKind
	Name string
	UID  types.UID
}

// Selectors finds the objects of one namespace that select a pod.
type Selectors interface {
	// Matching returns the objects of the selecting kinds whose selector matches these
	// labels. It returns no NetworkPolicies.
	Matching(podLabels map[string]string) []*SelectingObject

	// NetworkPolicies returns the NetworkPolicies whose selector matches these labels.
	NetworkPolicies(podLabels map[string]string) []*SelectingObject

	// Lookup returns the object of a selecting kind with that name, or nil.
	Lookup(kind schema.GroupKind, name string) *SelectingObject

	// EndpointSlices returns those that name the pod and that are not filled by a Service's
	// selector: no label change removes the pod from them.
	EndpointSlices(pod string, uid types.UID) []*EndpointSlice
}

// String names the object as kubectl does: Service/web.
func (s *SelectingObject) String() string { return s.Kind.Kind + "/" + s.Name }

// owner returns the object as an owner of pods.
func (s *SelectingObject) owner() *Owner { return &Owner{Kind: s.Kind, Name: s.Name, UID: s.UID} }

// BlocksQuarantine reports whether a pod that the object selects is not quarantined. A
// PodDisruptionBudget that still matches only counts the pod as healthy, so it doesn't.
func (s *SelectingObject) BlocksQuarantine() bool {
	return s.Kind != KindPodDisruptionBudget && !s.SelectsQuarantined()
}

// SelectsQuarantined reports whether the object selects quarantined pods on purpose: a
// Service or NetworkPolicy that requires their label. A controller that does would adopt
// them, so it doesn't count.
func (s *SelectingObject) SelectsQuarantined() bool {
	return (s.Kind == KindService || s.Kind == KindNetworkPolicy) && s.requires(QuarantinedLabel)
}

// blocking returns the objects that block a quarantine.
func blocking(objects []*SelectingObject) []*SelectingObject {
	return filter(objects, (*SelectingObject).BlocksQuarantine)
}

// filter returns the objects that a condition applies to.
func filter(objects []*SelectingObject, applies func(*SelectingObject) bool) []*SelectingObject {
	var kept []*SelectingObject // Most often none, and then nothing is allocated.
	for _, s := range objects {
		if applies(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// lookup returns the selecting object with the name and the UID of this owner, or nil.
func lookup(selectors Selectors, owner *Owner) *SelectingObject {
	if known := selectors.Lookup(owner.Kind, owner.Name); known != nil && known.UID == owner.UID {
		return known
	}
	return nil
}

func names(objects []*SelectingObject) []string {
	list := make([]string, len(objects))
	for i, s := range objects {
		list[i] = s.String()
	}
	return list
}

// requiredKeys iterates over the label keys that must exist for the selector to match:
// those that a rewrite has to change. NotIn and DoesNotExist require no key.
func (s *SelectingObject) requiredKeys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range s.Requirements {
			switch s.Requirements[i].Operator() {
			case selection.NotIn, selection.DoesNotExist, selection.NotEquals:
			default:
				if !yield(s.Requirements[i].Key()) {
					return
				}
			}
		}
	}
}

// requiredBy returns the keys that these objects require.
func requiredBy(objects []*SelectingObject) []string {
	var keys []string
	for _, s := range objects {
		for key := range s.requiredKeys() {
			keys = append(keys, key)
		}
	}
	return keys
}

// requires reports whether the selector matches only pods with this label.
func (s *SelectingObject) requires(label string) bool {
	for key := range s.requiredKeys() {
		if key == label {
			return true
		}
	}
	return false
}
