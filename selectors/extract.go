package selectors

import (
	"fmt"
	"slices"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
)

// Extract returns the part of an object that a decision needs, or nil if the object
// selects nothing: a Service without a selector, a nil label selector.
func Extract(object metav1.Object) (*quarantine.SelectingObject, error) {
	s := &quarantine.SelectingObject{Name: object.GetName(), UID: object.GetUID(), Controller: controllerOf(object)}
	parsed, err := extractInto(s, object)
	if err != nil {
		return nil, err
	}
	requirements, selectable := parsed.Requirements()
	if !selectable {
		return nil, nil
	}
	s.Requirements = requirements
	return s, nil
}

// extractInto sets the fields that depend on the kind, and returns the selector.
func extractInto(s *quarantine.SelectingObject, object metav1.Object) (labels.Selector, error) {
	switch o := object.(type) {
	case *corev1.Service:
		s.Kind = quarantine.KindService
		return selectorOf(o.Spec.Selector), nil
	case *corev1.ReplicationController:
		s.Kind = quarantine.KindReplicationController
		setCounts(s, orOne(o.Spec.Replicas), o.Status.Replicas, o.Status.ReadyReplicas, o.Status.AvailableReplicas)
		return selectorOf(o.Spec.Selector), nil
	case *appsv1.ReplicaSet:
		s.Kind = quarantine.KindReplicaSet
		setCounts(s, orOne(o.Spec.Replicas), o.Status.Replicas, o.Status.ReadyReplicas, o.Status.AvailableReplicas)
		return metav1.LabelSelectorAsSelector(o.Spec.Selector)
	case *appsv1.StatefulSet:
		s.Kind = quarantine.KindStatefulSet
		setCounts(s, orOne(o.Spec.Replicas), o.Status.Replicas, o.Status.ReadyReplicas, o.Status.AvailableReplicas)
		return metav1.LabelSelectorAsSelector(o.Spec.Selector)
	case *appsv1.DaemonSet:
		s.Kind = quarantine.KindDaemonSet
		setCounts(s, o.Status.DesiredNumberScheduled, o.Status.CurrentNumberScheduled, o.Status.NumberReady, o.Status.NumberAvailable)
		return metav1.LabelSelectorAsSelector(o.Spec.Selector)
	case *batchv1.Job:
		extractJob(s, o)
		return metav1.LabelSelectorAsSelector(o.Spec.Selector)
	case *policyv1.PodDisruptionBudget:
		s.Kind = quarantine.KindPodDisruptionBudget
		s.NoDisruption = o.Status.ExpectedPods > 0 && o.Status.DisruptionsAllowed == 0
		return metav1.LabelSelectorAsSelector(o.Spec.Selector)
	case *networkingv1.NetworkPolicy:
		s.Kind = quarantine.KindNetworkPolicy
		return metav1.LabelSelectorAsSelector(&o.Spec.PodSelector)
	}
	return nil, fmt.Errorf("%T does not select pods", object)
}

func setCounts(s *quarantine.SelectingObject, desired, current, ready, available int32) {
	s.Desired, s.Current, s.Ready, s.Available = desired, current, ready, available
}

func extractJob(s *quarantine.SelectingObject, job *batchv1.Job) {
	s.Kind = quarantine.KindJob
	s.Ended = hasEnded(job)
	if manager := ptr.Deref(job.Spec.ManagedBy, batchv1.JobControllerName); manager != batchv1.JobControllerName {
		s.ManagedBy = manager
	}
	ready := ptr.Deref(job.Status.Ready, 0)
	setCounts(s, wantedNow(job), job.Status.Active, ready, ready)
}

// selectorOf parses a selector that is a map. An empty map selects nothing: Kubernetes
// fills no EndpointSlices for a Service without a selector.
func selectorOf(set map[string]string) labels.Selector {
	if len(set) == 0 {
		return labels.Nothing()
	}
	return labels.SelectorFromValidatedSet(set)
}

func controllerOf(object metav1.Object) *quarantine.Owner {
	ref := metav1.GetControllerOfNoCopy(object)
	if ref == nil {
		return nil
	}
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
	return &quarantine.Owner{
		Kind: schema.GroupKind{Group: shared(kind.Group), Kind: shared(kind.Kind)},
		Name: shared(ref.Name),
		UID:  shared(ref.UID),
	}
}

// shared returns a string that takes memory once, however many objects have it: the ten old
// ReplicaSets of a Deployment have the same owner.
func shared[S ~string](s S) S { return unique.Make(s).Value() }

// wantedNow returns how many pods a Job wants at the same time: none when suspended or
// ended, and no more than are left to complete.
func wantedNow(job *batchv1.Job) int32 {
	if ptr.Deref(job.Spec.Suspend, false) || hasEnded(job) {
		return 0
	}
	wanted := orOne(job.Spec.Parallelism)
	if job.Spec.Completions != nil {
		wanted = min(wanted, max(*job.Spec.Completions-job.Status.Succeeded, 0))
	}
	return wanted
}

func hasEnded(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

func orOne(n *int32) int32 { return ptr.Deref(n, 1) }
