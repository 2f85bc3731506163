package pods

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// Selecting returns everything in the namespace that would select a pod with these
// labels: Services, controllers, PodDisruptionBudgets and NetworkPolicies. unread has
// an error for each kind that could not be read.
func (c *Cluster) Selecting(ctx context.Context, namespace string, podLabels map[string]string) (found []*quarantine.SelectingObject, unread []error) {
	for _, kind := range c.kinds(namespace) {
		objects, err := kind.list(ctx)
		if err != nil {
			unread = append(unread, fmt.Errorf("%s: %w", kind.resource, err))
			continue
		}
		found = append(found, matching(objects, podLabels)...)
	}
	return found, unread
}

// kind is one kind of object that selects pods.
type kind struct {
	resource string
	list     func(context.Context) ([]*quarantine.SelectingObject, error)
}

func (c *Cluster) kinds(namespace string) []kind {
	core, apps := c.Client.CoreV1(), c.Client.AppsV1()
	return []kind{
		{"services", func(ctx context.Context) ([]*quarantine.SelectingObject, error) { return c.services(ctx, namespace) }},
		{"replicationcontrollers", lister(core.ReplicationControllers(namespace).List, func(l *corev1.ReplicationControllerList) []corev1.ReplicationController { return l.Items })},
		{"replicasets.apps", lister(apps.ReplicaSets(namespace).List, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items })},
		{"statefulsets.apps", lister(apps.StatefulSets(namespace).List, func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items })},
		{"daemonsets.apps", lister(apps.DaemonSets(namespace).List, func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items })},
		{"jobs.batch", lister(c.Client.BatchV1().Jobs(namespace).List, func(l *batchv1.JobList) []batchv1.Job { return l.Items })},
		{"poddisruptionbudgets.policy", lister(c.Client.PolicyV1().PodDisruptionBudgets(namespace).List, func(l *policyv1.PodDisruptionBudgetList) []policyv1.PodDisruptionBudget { return l.Items })},
		{"networkpolicies.networking.k8s.io", func(ctx context.Context) ([]*quarantine.SelectingObject, error) {
			return c.NetworkPolicies(ctx, namespace)
		}},
	}
}

// lister reads the selectors of all objects of one kind.
func lister[L, O any, P interface {
	*O
	metav1.Object
}](list func(context.Context, metav1.ListOptions) (L, error), items func(L) []O) func(context.Context) ([]*quarantine.SelectingObject, error) {
	return func(ctx context.Context) ([]*quarantine.SelectingObject, error) {
		all, err := list(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return extractAll[O, P](items(all))
	}
}

// extractAll returns the selectors of objects, without those that select nothing.
func extractAll[O any, P interface {
	*O
	metav1.Object
}](objects []O) ([]*quarantine.SelectingObject, error) {
	var found []*quarantine.SelectingObject
	for i := range objects {
		object := P(&objects[i])
		s, err := selectors.Extract(object)
		if err != nil {
			return nil, fmt.Errorf("reading the selector of %s: %w", object.GetName(), err)
		}
		if s != nil {
			found = append(found, s)
		}
	}
	return found, nil
}
