package sweeper

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
)

// fewPods is how many pods of a controller are looked at for why it is short.
const fewPods = 50

// whyShort says why a controller has too few pods that are available, as far as
// it, or its pods, say so; empty where they don't. It reads past the cache, by
// lists of one object: the sweeper may list and need not be allowed to get.
func whyShort(ctx context.Context, live client.Reader, pod *metav1.PartialObjectMetadata,
	owner corev1.ObjectReference, controller *quarantine.SelectingObject,
) string {
	if controller.Kind == quarantine.KindStatefulSet {
		return whyNameTaken(pod)
	}
	why, err := failedToCreate(ctx, live, owner)
	if why == "" && err == nil {
		why, err = notAvailable(ctx, live, pod.Namespace, controller)
	}
	if err != nil {
		log.FromContext(ctx).Error(err, logNoReason, "controller", controller.String())
	}
	return why
}

// failedToCreate is what the controller's own condition says: of a quota, of an
// admission that refuses its pods.
func failedToCreate(ctx context.Context, live client.Reader, owner corev1.ObjectReference) (string, error) {
	objects := &unstructured.UnstructuredList{}
	objects.SetGroupVersionKind(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind+"List"))
	if err := live.List(ctx, objects, client.InNamespace(owner.Namespace), client.MatchingFields{"metadata.name": owner.Name}); err != nil {
		return "", fmt.Errorf("reading the conditions of the controller: %w", err)
	}
	for i := range objects.Items {
		conditions, _, _ := unstructured.NestedSlice(objects.Items[i].Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] == "ReplicaFailure" && condition["status"] == string(metav1.ConditionTrue) {
				message, _ := condition["message"].(string)
				return message, nil
			}
		}
	}
	return "", nil
}

// notAvailable is what the first of the controller's pods says that isn't Ready.
func notAvailable(ctx context.Context, live client.Reader, namespace string, controller *quarantine.SelectingObject) (string, error) {
	pods := &corev1.PodList{}
	selector := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(controller.Requirements...)}
	if err := live.List(ctx, pods, client.InNamespace(namespace), selector, client.Limit(fewPods)); err != nil {
		return "", fmt.Errorf("reading the pods of the controller: %w", err)
	}
	for i := range pods.Items {
		if why := whyNotAvailable(&pods.Items[i], controller.UID); why != "" {
			return why, nil
		}
	}
	return "", nil
}

func whyNotAvailable(pod *corev1.Pod, controller types.UID) string {
	if owner := metav1.GetControllerOfNoCopy(pod); owner == nil || owner.UID != controller {
		return ""
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return whyUnscheduled(pod.Name, condition.Message)
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "" {
				return whyWaiting(pod.Name, status.Name, waiting.Reason)
			}
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionFalse {
			return whyUnready(pod.Name)
		}
	}
	return ""
}
