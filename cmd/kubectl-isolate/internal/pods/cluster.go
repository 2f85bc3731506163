package pods

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// Cluster is the cluster as the caller may see it.
type Cluster struct {
	Client kubernetes.Interface
	Clock  clock.PassiveClock
}

// UnknownKindError says that a controller's kind is not built into Kubernetes.
type UnknownKindError struct{ Kind schema.GroupKind }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("%s is not a kind of Kubernetes' own controllers", e.Kind)
}

// Controller returns the controller that a reference names, or nil if it was deleted.
func (c *Cluster) Controller(ctx context.Context, namespace string, ref *metav1.OwnerReference) (*quarantine.SelectingObject, error) {
	var object metav1.Object
	var err error
	options := metav1.GetOptions{}
	switch kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(); kind {
	case quarantine.KindReplicationController:
		object, err = c.Client.CoreV1().ReplicationControllers(namespace).Get(ctx, ref.Name, options)
	case quarantine.KindReplicaSet:
		object, err = c.Client.AppsV1().ReplicaSets(namespace).Get(ctx, ref.Name, options)
	case quarantine.KindStatefulSet:
		object, err = c.Client.AppsV1().StatefulSets(namespace).Get(ctx, ref.Name, options)
	case quarantine.KindDaemonSet:
		object, err = c.Client.AppsV1().DaemonSets(namespace).Get(ctx, ref.Name, options)
	case quarantine.KindJob:
		object, err = c.Client.BatchV1().Jobs(namespace).Get(ctx, ref.Name, options)
	default:
		return nil, &UnknownKindError{Kind: kind}
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case object.GetUID() != ref.UID:
		return nil, nil
	}
	return selectors.Extract(object)
}

// FormerController returns the controller that a quarantine detached the pod from, or nil
// if the pod had none.
func FormerController(record *quarantine.Record) *metav1.OwnerReference {
	i := slices.IndexFunc(record.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.Controller != nil && *ref.Controller })
	if i < 0 {
		return nil
	}
	return &record.OwnerReferences[i]
}

func (c *Cluster) services(ctx context.Context, namespace string) ([]*quarantine.SelectingObject, error) {
	return lister(c.Client.CoreV1().Services(namespace).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })(ctx)
}

// NetworkPolicies returns the NetworkPolicies of a namespace.
func (c *Cluster) NetworkPolicies(ctx context.Context, namespace string) ([]*quarantine.SelectingObject, error) {
	return lister(c.Client.NetworkingV1().NetworkPolicies(namespace).List, func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items })(ctx)
}

// matching returns the objects that match these labels, except those that select quarantined
// pods on purpose.
func matching(objects []*quarantine.SelectingObject, podLabels map[string]string) []*quarantine.SelectingObject {
	var found []*quarantine.SelectingObject
	for _, object := range objects {
		if !object.SelectsQuarantined() && Selects(object, podLabels) {
			found = append(found, object)
		}
	}
	return found
}

// Selects reports whether an object's selector matches these labels.
func Selects(object *quarantine.SelectingObject, podLabels map[string]string) bool {
	return !slices.ContainsFunc(object.Requirements, func(r labels.Requirement) bool { return !r.Matches(labels.Set(podLabels)) })
}
