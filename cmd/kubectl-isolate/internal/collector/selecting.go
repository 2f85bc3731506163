package collector

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// selecting adds what selects the pod, or selected it before its quarantine: Services with
// their EndpointSlices, NetworkPolicies and PodDisruptionBudgets.
func (c *Collector) selecting(ctx context.Context, pod *corev1.Pod, status *quarantine.Status) error {
	original := maps.Clone(pod.Labels)
	maps.Copy(original, status.Record.Labels)
	delete(original, quarantine.QuarantinedLabel)

	var services []string
	all := metav1.ListOptions{}
	err := c.list(ctx, "services.json", servicesResource, pod.Namespace, all, func(object map[string]any) bool {
		service := &corev1.Service{}
		if !selects(object, service, pod.Labels, original) {
			return false
		}
		services = append(services, service.Name)
		return true
	})
	if err != nil {
		return err
	}
	err = c.list(ctx, "endpointslices.json", slicesResource, pod.Namespace, all, func(object map[string]any) bool {
		slice := &metav1.PartialObjectMetadata{}
		return convert(object, slice) && slices.Contains(services, slice.Labels["kubernetes.io/service-name"])
	})
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		file     string
		resource schema.GroupVersionResource
		empty    func() metav1.Object
	}{
		{"networkpolicies.json", policiesResource, func() metav1.Object { return &networkingv1.NetworkPolicy{} }},
		{"poddisruptionbudgets.json", budgetsResource, func() metav1.Object { return &policyv1.PodDisruptionBudget{} }},
	} {
		err := c.list(ctx, kind.file, kind.resource, pod.Namespace, all, func(object map[string]any) bool {
			return selects(object, kind.empty(), pod.Labels, original)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// selects reports whether an object selects a pod with either of these labels.
func selects(object map[string]any, into metav1.Object, either ...map[string]string) bool {
	if !convert(object, into) {
		return false
	}
	selecting, err := selectors.Extract(into)
	return err == nil && selecting != nil && slices.ContainsFunc(either, func(set map[string]string) bool { return pods.Selects(selecting, set) })
}

func convert(object map[string]any, into any) bool {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object, into) == nil
}
