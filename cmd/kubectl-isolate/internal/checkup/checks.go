package checkup

import (
	"context"
	"slices"

	"isolate.example.io/quarantine"
	authorizationv1 "k8s.io/api/authorization/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
)

// policyNames are isolate's ValidatingAdmissionPolicies. Without them, users can forge a
// quarantine, or quarantine a pod that they may not delete.
var policyNames = []string{"isolate-pods", "isolate-pods-status", "isolate-bindings", "isolate-workloads"}

func (c *checkup) installed(context.Context) Result {
	switch err := c.found.Err; {
	case apierrors.IsNotFound(err):
		return notInstalled()
	case err != nil:
		return unreadable("whether isolate is installed", err)
	}
	return installed(c.found.Namespace)
}

func (c *checkup) version(ctx context.Context) Result {
	deployment, err := c.client.AppsV1().Deployments(c.found.Namespace).Get(ctx, pods.WebhookDeployment, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return noDeployment(c.found.Namespace)
	case err != nil:
		return unreadable("which version runs", err)
	}
	wanted, ready := ptr.Deref(deployment.Spec.Replicas, 1), deployment.Status.ReadyReplicas
	image := deployment.Spec.Template.Spec.Containers[0].Image
	return version(c.found.Namespace, image, ready, wanted)
}

func (c *checkup) policies(ctx context.Context) Result {
	bindings, err := c.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return unreadable("whether isolate's policies are bound", err)
	}
	policies, err := c.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{})
	if err != nil {
		return unreadable("whether isolate's policies are there", err)
	}
	var bound, missing []string
	for i := range bindings.Items {
		bound = append(bound, bindings.Items[i].Spec.PolicyName)
	}
	for _, name := range policyNames {
		there := false
		for i := range policies.Items {
			there = there || policies.Items[i].Name == name
		}
		if !there || !slices.Contains(bound, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return policiesMissing(missing)
	}
	return policiesBound(policyNames)
}

// permission checks whether the caller has the permissions that a quarantine requires.
func (c *checkup) permission(ctx context.Context) Result {
	var missing []string
	for _, verb := range []string{"get", "patch", "delete"} {
		review, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: c.namespace, Verb: verb, Resource: "pods",
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return unreadable("what you may do in namespace "+c.namespace, err)
		}
		if !review.Status.Allowed {
			missing = append(missing, verb)
		}
	}
	if len(missing) > 0 {
		return mayNot(c.namespace, missing)
	}
	return may(c.namespace)
}

// network looks for a NetworkPolicy that denies all traffic of all quarantined pods.
func (c *checkup) network(ctx context.Context) Result {
	list, err := c.client.NetworkingV1().NetworkPolicies(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return unreadable("whether quarantined pods have a network in namespace "+c.namespace, err)
	}
	for i := range list.Items {
		if isolates(&list.Items[i].Spec) {
			return networkClosed(c.namespace, list.Items[i].Name)
		}
	}
	return networkOpen(c.namespace)
}

func isolates(policy *networkingv1.NetworkPolicySpec) bool {
	selector, err := metav1.LabelSelectorAsSelector(&policy.PodSelector)
	if err != nil || !selector.Matches(labels.Set{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}) {
		return false
	}
	return len(policy.Ingress) == 0 && len(policy.Egress) == 0 &&
		slices.Contains(policy.PolicyTypes, networkingv1.PolicyTypeIngress) && slices.Contains(policy.PolicyTypes, networkingv1.PolicyTypeEgress)
}
