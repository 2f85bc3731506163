package podevents

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	logUnknown   = "The pod's former controller is not known yet; retrying"
	logUnchecked = "Could not check whether pods were released; retrying"
)

const reasonQuarantined = "Quarantined"

func quarantinedEvent(pod *metav1.PartialObjectMetadata, status quarantine.Status) events.Event {
	detached := "Nothing selected it"
	if len(status.Record.DetachedFrom) > 0 { // Last: the list can be longer than a note.
		detached = "Detached from " + strings.Join(status.Record.DetachedFrom, ", ")
	}
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeNormal, Reason: reasonQuarantined,
		Note: fmt.Sprintf("Quarantined by %s until %s. To keep it: %s. To release it: %s. %s",
			status.By, rfc3339(status.ExpiresAt),
			quarantinedpods.AnnotateCommand(pod, quarantine.HoldKey+"=true"), quarantinedpods.AnnotateCommand(pod, quarantine.TriggerKey+"-"), detached),
		DedupeKey: pod.Annotations[quarantine.QuarantinedAtKey],
	}
}

// podLeftEvent is about the former controller, which is nil if it is gone.
func podLeftEvent(pod *metav1.PartialObjectMetadata, owner corev1.ObjectReference, controller *quarantine.SelectingObject) events.Event {
	next := "it is to start a replacement"
	switch {
	case controller == nil:
		next = "check whether a replacement starts"
	case controller.Desired == 0:
		next = "it is scaled to zero, so no replacement starts"
	case controller.Kind == quarantine.KindStatefulSet:
		next = "no replacement can start until the pod is deleted, because its name stays taken"
	}
	return events.Event{
		Regarding: owner,
		Type:      corev1.EventTypeNormal, Reason: reasonQuarantined,
		Note: fmt.Sprintf("Pod %s was quarantined and is no longer controlled by this object; %s. To inspect the pod: kubectl describe pod -n %s %s",
			pod.Name, next, pod.Namespace, pod.Name),
		DedupeKey: string(pod.UID) + pod.Annotations[quarantine.QuarantinedAtKey],
	}
}

func expiresSoonEvent(pod *metav1.PartialObjectMetadata, status quarantine.Status) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: "ExpiresSoon",
		Note: fmt.Sprintf("isolate deletes this pod at %s. To keep it longer: %s",
			rfc3339(status.ExpiresAt), quarantinedpods.AnnotateCommand(pod, quarantine.ExtendKey+"=24h")),
		DedupeKey: pod.Annotations[quarantine.ExpiresAtKey],
	}
}

func releasedEvent(pod *metav1.PartialObjectMetadata) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeNormal, Reason: "Released",
		Note: "Released: it is no longer quarantined, and isolate will not delete it. To quarantine it again: " +
			quarantinedpods.AnnotateCommand(pod, quarantine.TriggerKey+"=true"),
		DedupeKey: pod.ResourceVersion,
	}
}

func badRecordEvent(pod *metav1.PartialObjectMetadata, problem error) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: "BadRecord",
		Note: fmt.Sprintf("The record of this quarantine is damaged, so isolate will not delete the pod: %s. "+
			"To release it: %s. To delete it: kubectl delete pod -n %s %s",
			problem, quarantinedpods.AnnotateCommand(pod, "--overwrite", quarantine.TriggerKey+"=false"), pod.Namespace, pod.Name),
		DedupeKey: problem.Error(),
	}
}

// implausibleEvent is about a pod that isolate does not delete although it has expired.
func implausibleEvent(pod *metav1.PartialObjectMetadata, problem error) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: "ImplausibleExpiry",
		Note: fmt.Sprintf("isolate will not delete this pod: %s. To set a new expiry: %s. To release it: %s. To delete it: kubectl delete pod -n %s %s",
			problem, quarantinedpods.AnnotateCommand(pod, quarantine.ExtendKey+"=24h"), quarantinedpods.AnnotateCommand(pod, quarantine.TriggerKey+"-"),
			pod.Namespace, pod.Name),
		DedupeKey: pod.Annotations[quarantine.ExpiresAtKey],
	}
}

func stillTerminatingEvent(pod *metav1.PartialObjectMetadata) events.Event {
	since := rfc3339(pod.DeletionTimestamp.Time)
	note := fmt.Sprintf("Still terminating after %s: its kubelet has not stopped it. Check its node; isolate will not retry. "+
		"If the node is gone for good: kubectl delete pod -n %s %s --force", since, pod.Namespace, pod.Name)
	if len(pod.Finalizers) > 0 {
		note = fmt.Sprintf("Still terminating after %s: finalizers %s block it. Ask their owners to remove them; isolate will not retry",
			since, strings.Join(pod.Finalizers, ", "))
	}
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: "StillTerminating",
		Note: note, DedupeKey: strings.Join(pod.Finalizers, ","),
	}
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
