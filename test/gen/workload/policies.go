package workload

import (
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// NetworkPolicy returns a NetworkPolicy that admits traffic to the app from its namespace.
func (a App) NetworkPolicy() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: a.meta(a.Name()),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *a.selector(),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}},
			}},
		},
	}
}

// PodDisruptionBudget returns a PodDisruptionBudget of the app's pods.
func (a App) PodDisruptionBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: a.meta(a.Name()),
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: a.selector(), MaxUnavailable: new(intstr.FromInt32(1))},
	}
}

// selector selects the pods of all revisions.
func (a App) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: a.Service().Spec.Selector}
}
