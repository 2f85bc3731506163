package quarantine

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
)

// Kinds whose selectors bind a pod. A kind is a group and a kind: apps.kruise.io
// has a StatefulSet of its own.
var (
	KindService               = schema.GroupKind{Kind: "Service"}
	KindReplicationController = schema.GroupKind{Kind: "ReplicationController"}
	KindReplicaSet            = schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}
	KindStatefulSet           = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	KindDaemonSet             = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	KindJob                   = schema.GroupKind{Group: "batch", Kind: "Job"}
	KindPodDisruptionBudget   = schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}
)

// KindNetworkPolicy selects pods too, but binds none: losing one is only warned of.
var KindNetworkPolicy = schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"}

// replacing are the kinds of controllers that start another pod for one that has
// lost its labels. A StatefulSet can't: the name stays taken.
var replacing = []schema.GroupKind{KindReplicationController, KindReplicaSet, KindDaemonSet, KindJob}

// SelectingObject is one object of the pod's namespace that selects pods, with the
// little of it that a decision needs. It is shared and must not be changed.
type SelectingObject struct {
	Kind schema.GroupKind
	Name string
	UID  types.UID

	// Requirements are the object's selector. A pod matches when it matches all
	// of them. It is never empty for a Service, which selects nothing without a
	// selector; it is empty for a PodDisruptionBudget that selects all.
	Requirements labels.Requirements

	// Controller is the object's own controller: a ReplicaSet's Deployment. Nil
	// where there is none.
	Controller *Owner

	// Desired is how many pods the object wants, Current how many it has, Ready and
	// Available how many of those are, as its spec and status say; all 0 for a kind
	// that has no such numbers (Service, PodDisruptionBudget).
	Desired, Current, Ready, Available int32

	// Ended says that a Job has completed or failed: it starts, adopts and deletes
	// no pods any more.
	Ended bool
}

// Owner names the controller of an object.
type Owner struct {
	Kind schema.GroupKind
	Name string
	UID  types.UID
}

// Selectors answers for one namespace who selects a pod.
type Selectors interface {
	// Matching returns all objects that bind pods and whose selector matches these
	// labels. NetworkPolicies are none of them.
	Matching(podLabels map[string]string) []*SelectingObject

	// NetworkPolicies returns those whose selector matches these labels.
	NetworkPolicies(podLabels map[string]string) []*SelectingObject

	// Lookup returns the object of that kind and name, nil if there is none. The
	// kind must be one of those above.
	Lookup(kind schema.GroupKind, name string) *SelectingObject
}

// String names the object as kubectl does: Service/web.
func (s *SelectingObject) String() string { return s.Kind.Kind + "/" + s.Name }

// requiredKeys are the label keys without which the selector can't match: those
// a rewrite must take away. NotIn and DoesNotExist require nothing to be there.
func (s *SelectingObject) requiredKeys() []string {
	var keys []string
	for i := range s.Requirements {
		switch s.Requirements[i].Operator() {
		case selection.NotIn, selection.DoesNotExist, selection.NotEquals:
		default:
			keys = append(keys, s.Requirements[i].Key())
		}
	}
	return keys
}
