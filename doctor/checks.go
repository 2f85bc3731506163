package doctor

import (
	"context"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
)

// policyNames are isolate's ValidatingAdmissionPolicies. Without them, users can forge a
// quarantine, or quarantine a pod that they may not delete.
var policyNames = []string{"isolate-pods", "isolate-pods-status", "isolate-bindings", "isolate-workloads"}

func (e *examination) installed(context.Context) Result {
	switch err := e.found.Err; {
	case apierrors.IsNotFound(err):
		return notInstalled()
	case err != nil:
		return unreadable("whether isolate is installed", err)
	}
	return installed(e.found.Namespace)
}

func (e *examination) version(ctx context.Context) Result {
	deployment, err := e.client.AppsV1().Deployments(e.found.Namespace).Get(ctx, WebhookDeployment, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return noDeployment(e.found.Namespace)
	case err != nil:
		return unreadable("which version runs", err)
	}
	wanted, ready := ptr.Deref(deployment.Spec.Replicas, 1), deployment.Status.ReadyReplicas
	image := deployment.Spec.Template.Spec.Containers[0].Image
	return version(e.found.Namespace, image, ready, wanted)
}

func (e *examination) policies(ctx context.Context) Result {
	bindings, err := e.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return unreadable("whether isolate's policies are bound", err)
	}
	policies, err := e.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{})
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
func (e *examination) permission(ctx context.Context) Result {
	var missing []string
	for _, verb := range []string{"get", "patch", "delete"} {
		review, err := e.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: e.namespace, Verb: verb, Resource: "pods",
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return unreadable("what you may do in namespace "+e.namespace, err)
		}
		if !review.Status.Allowed {
			missing = append(missing, verb)
		}
	}
	if len(missing) > 0 {
		return mayNot(e.namespace, missing)
	}
	return may(e.namespace)
}

// network looks for a NetworkPolicy that denies all traffic of all quarantined pods.
func (e *examination) network(ctx context.Context) Result {
	list, err := e.client.NetworkingV1().NetworkPolicies(e.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return unreadable("whether quarantined pods have a network in namespace "+e.namespace, err)
	}
	for i := range list.Items {
		if isolates(&list.Items[i].Spec) {
			return networkClosed(e.namespace, list.Items[i].Name)
		}
	}
	return networkOpen(e.namespace)
}

func isolates(policy *networkingv1.NetworkPolicySpec) bool {
	selector, err := metav1.LabelSelectorAsSelector(&policy.PodSelector)
	if err != nil || !selector.Matches(labels.Set{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}) {
		return false
	}
	return len(policy.Ingress) == 0 && len(policy.Egress) == 0 &&
		slices.Contains(policy.PolicyTypes, networkingv1.PolicyTypeIngress) && slices.Contains(policy.PolicyTypes, networkingv1.PolicyTypeEgress)
}
