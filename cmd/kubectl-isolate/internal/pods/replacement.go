package pods

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"isolate.example.io/quarantine"
)

// PodsOf returns the pods of a controller that are not terminating.
func (c *Cluster) PodsOf(ctx context.Context, namespace string, controller *quarantine.SelectingObject) ([]corev1.Pod, error) {
	list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: SelectorOf(controller)})
	if err != nil {
		return nil, err
	}
	var owned []corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; ownedBy(pod, controller) {
			owned = append(owned, *pod)
		}
	}
	return owned, nil
}

func ownedBy(pod *corev1.Pod, controller *quarantine.SelectingObject) bool {
	return pod.DeletionTimestamp == nil && metav1.IsControlledBy(pod, &metav1.ObjectMeta{UID: controller.UID})
}

// SelectorOf returns a controller's selector in the format of list options.
func SelectorOf(controller *quarantine.SelectingObject) string {
	return labels.NewSelector().Add(controller.Requirements...).String()
}

// IsReady reports whether a pod is Ready.
func IsReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
