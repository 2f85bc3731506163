package replacement

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
)

const (
	logUnknown  = "The pod's former controller is not known yet; retrying"
	logNoReason = "Could not read why a controller is short of pods"
)

// missingEvent is about the pod or its former controller. The reason is empty if isolate
// does not know why the controller is short.
func missingEvent(regarding corev1.ObjectReference, dedupeKey string, pod *metav1.PartialObjectMetadata,
	controller *quarantine.SelectingObject, after time.Duration, reason string,
) events.Event {
	if reason == "" {
		reason = fmt.Sprintf("see kubectl describe -n %s %s", pod.Namespace, controller)
	}
	return events.Event{
		Regarding: regarding,
		Type:      corev1.EventTypeWarning, Reason: "ReplacementMissing",
		Note: fmt.Sprintf("%s has %d of %d pods available, %s after pod %s was quarantined: %s",
			controller, controller.Available, controller.Desired, after.Truncate(time.Second), pod.Name, reason),
		DedupeKey: dedupeKey,
	}
}

func nameTaken(pod *metav1.PartialObjectMetadata) string {
	return fmt.Sprintf("no replacement can start until pod %s is deleted, because its name stays taken. To delete it now: kubectl delete pod -n %s %s",
		pod.Name, pod.Namespace, pod.Name)
}

func unschedulable(pod, message string) string {
	return fmt.Sprintf("pod %s can't be scheduled: %s", pod, message)
}

func containerWaiting(pod, container, reason string) string {
	return fmt.Sprintf("container %s of pod %s is in %s; see kubectl logs --previous", container, pod, reason)
}

func notReady(pod string) string {
	return fmt.Sprintf("pod %s is not Ready; see kubectl describe", pod)
}
