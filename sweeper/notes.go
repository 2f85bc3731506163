package sweeper

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

// What events say. Each is a full sentence, and says what to do next.

func noteQuarantined(pod *metav1.PartialObjectMetadata, status quarantine.Status) string {
	out := "nothing selected it"
	if len(status.Record.DetachedFrom) > 0 {
		out = "out of " + strings.Join(status.Record.DetachedFrom, ", ")
	}
	return fmt.Sprintf("Quarantined by %s, %s. It is deleted at %s. To keep it: %s. To release it: %s",
		status.By, out, stamp(status.ExpiresAt), annotate(pod, quarantine.HoldKey+"=true"), annotate(pod, quarantine.TriggerKey+"-"))
}

// noteLeft is for the former controller, which is nil if it is gone.
func noteLeft(pod *metav1.PartialObjectMetadata, controller *quarantine.SelectingObject) string {
	next := "replacement starting"
	switch {
	case controller == nil:
		next = "check whether a replacement starts"
	case controller.Desired == 0:
		next = "no replacement is wanted"
	case controller.Kind == quarantine.KindStatefulSet:
		next = "no replacement can start until it is deleted, as its name stays taken"
	}
	return fmt.Sprintf("Pod %s left, as it is quarantined; %s. To see it: kubectl describe pod -n %s %s", pod.Name, next, pod.Namespace, pod.Name)
}

func noteExpiresSoon(pod *metav1.PartialObjectMetadata, status quarantine.Status) string {
	return fmt.Sprintf("This pod is deleted at %s. To keep it longer: %s", stamp(status.ExpiresAt), annotate(pod, quarantine.ExtendKey+"=24h"))
}

func noteExpired(status quarantine.Status) string {
	return fmt.Sprintf("Deleted, as its time was up at %s. To keep the next one longer, give it %s, or %s=true",
		stamp(status.ExpiresAt), quarantine.ExtendKey, quarantine.HoldKey)
}

func noteReleased(pod *metav1.PartialObjectMetadata) string {
	return "Released: it is no longer quarantined, and isolate doesn't delete it. To quarantine it again: " +
		annotate(pod, quarantine.TriggerKey+"=true")
}

func noteBadRecord(pod *metav1.PartialObjectMetadata, problem error) string {
	return fmt.Sprintf("The record of this quarantine can't be relied on, so isolate never deletes the pod: %s. "+
		"Release it: %s, or delete it: kubectl delete pod -n %s %s",
		problem, annotate(pod, "--overwrite", quarantine.TriggerKey+"=false"), pod.Namespace, pod.Name)
}

func noteIgnored(pod *metav1.PartialObjectMetadata) string {
	return fmt.Sprintf("This pod carries %s=true, but was never quarantined: only the moment in which it turns true counts. "+
		"To quarantine the pod: %s, then %s", quarantine.TriggerKey, annotate(pod, quarantine.TriggerKey+"-"), annotate(pod, quarantine.TriggerKey+"=true"))
}

func noteLeaked(pod *metav1.PartialObjectMetadata, by string) string {
	return fmt.Sprintf("%s had come to select this quarantined pod, and it was taken out again. "+
		"Check the selector: kubectl describe -n %s %s", by, pod.Namespace, by)
}

func noteLeaking(pod *metav1.PartialObjectMetadata, by string) string {
	return fmt.Sprintf("%s selects this quarantined pod, and it could not be taken out. "+
		"Change that selector (kubectl edit -n %s %s), or see whether isolate's webhook answers: isolate tries again", by, pod.Namespace, by)
}

func noteTerminating(pod *metav1.PartialObjectMetadata) string {
	since := stamp(pod.DeletionTimestamp.Time)
	if len(pod.Finalizers) > 0 {
		return fmt.Sprintf("Was to be gone by %s, but these finalizers keep it: %s. See to whoever they belong to; isolate doesn't delete it again",
			since, strings.Join(pod.Finalizers, ", "))
	}
	return fmt.Sprintf("Was to be gone by %s, but its kubelet has not ended it. Look after its node; isolate doesn't delete it again. "+
		"If the node is gone for good: kubectl delete pod -n %s %s --force", since, pod.Namespace, pod.Name)
}

func noteReplacementMissing(pod *metav1.PartialObjectMetadata, controller *quarantine.SelectingObject, after time.Duration, why string) string {
	if why == "" {
		why = fmt.Sprintf("see kubectl describe -n %s %s", pod.Namespace, controller)
	}
	return clip(fmt.Sprintf("%s has %d of %d pods available, %s after pod %s was quarantined: %s",
		controller, controller.Available, controller.Desired, after.Truncate(time.Second), pod.Name, why), maxNote)
}

func whyNameTaken(pod *metav1.PartialObjectMetadata) string {
	return fmt.Sprintf("no replacement can start until pod %s is gone, as its name is taken. To make room: kubectl delete pod -n %s %s",
		pod.Name, pod.Namespace, pod.Name)
}

func whyUnscheduled(pod, message string) string {
	return fmt.Sprintf("pod %s can't be scheduled: %s", pod, message)
}

func whyWaiting(pod, container, reason string) string {
	return fmt.Sprintf("container %s of pod %s is in %s; see kubectl logs --previous", container, pod, reason)
}

func whyUnready(pod string) string {
	return fmt.Sprintf("pod %s is not Ready; see kubectl describe", pod)
}

// annotate is the command that changes these annotations.
func annotate(pod *metav1.PartialObjectMetadata, annotations ...string) string {
	return fmt.Sprintf("kubectl annotate pod -n %s %s %s", pod.Namespace, pod.Name, strings.Join(annotations, " "))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
