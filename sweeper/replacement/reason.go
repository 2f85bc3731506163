package replacement

import (
	"context"
	"fmt"
	"time"

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

const (
	// podScanLimit is how many pods of a controller are read to find the reason.
	podScanLimit = 50

	// readTimeout bounds the requests for one controller.
	readTimeout = 10 * time.Second
)

// reasonShort returns why a controller has too few available pods, according to the status
// of the controller or of its pods, or "". It reads past the cache, by lists of one
// object: the sweeper may list objects and need not be allowed to get them.
func reasonShort(ctx context.Context, live client.Reader, pod *metav1.PartialObjectMetadata,
	owner corev1.ObjectReference, controller *quarantine.SelectingObject,
) string {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if controller.Kind == quarantine.KindStatefulSet {
		return nameTaken(pod)
	}
	reason, err := replicaFailure(ctx, live, owner)
	if reason == "" && err == nil {
		reason, err = podProblem(ctx, live, pod.Namespace, controller)
	}
	if err != nil {
		log.FromContext(ctx).Error(err, logNoReason, "controller", controller.String())
	}
	return reason
}

// replicaFailure returns the message of the controller's condition ReplicaFailure: a
// quota, or an admission that refuses its pods.
func replicaFailure(ctx context.Context, live client.Reader, owner corev1.ObjectReference) (string, error) {
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

// podProblem returns what is wrong with the first of the controller's pods that is not
// Ready.
func podProblem(ctx context.Context, live client.Reader, namespace string, controller *quarantine.SelectingObject) (string, error) {
	pods := &corev1.PodList{}
	selector := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(controller.Requirements...)}
	if err := live.List(ctx, pods, client.InNamespace(namespace), selector, client.Limit(podScanLimit)); err != nil {
		return "", fmt.Errorf("reading the pods of the controller: %w", err)
	}
	for i := range pods.Items {
		if problem := problemOf(&pods.Items[i], controller.UID); problem != "" {
			return problem, nil
		}
	}
	return "", nil
}

func problemOf(pod *corev1.Pod, controller types.UID) string {
	if owner := metav1.GetControllerOfNoCopy(pod); owner == nil || owner.UID != controller {
		return ""
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return unschedulable(pod.Name, condition.Message)
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "" {
				return containerWaiting(pod.Name, status.Name, waiting.Reason)
			}
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionFalse {
			return notReady(pod.Name)
		}
	}
	return ""
}
