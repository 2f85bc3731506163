package startupscan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	logScanned = "Scanned all pods for triggers that were ignored and records without their label"
	logFailed  = "Could not list all pods; retrying"
)

func ignoredEvent(pod *metav1.PartialObjectMetadata) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: "Ignored",
		Note: fmt.Sprintf("This pod has %s=true but was never quarantined: only a change to true quarantines a pod. "+
			"To quarantine it: %s, then %s", quarantine.TriggerKey,
			quarantinedpods.AnnotateCommand(pod, quarantine.TriggerKey+"-"), quarantinedpods.AnnotateCommand(pod, quarantine.TriggerKey+"=true")),
	}
}

// unlabelledEvent has the same reason as any damaged record, so that people have to search
// for only one.
func unlabelledEvent(pod *metav1.PartialObjectMetadata) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: "BadRecord",
		Note: fmt.Sprintf("This pod has a part of the record of a quarantine without the label %s=%s, so isolate will not delete the pod. "+
			"To release it: %s. To delete it: kubectl delete pod -n %s %s",
			quarantine.QuarantinedLabel, quarantine.QuarantinedValue,
			quarantinedpods.AnnotateCommand(pod, "--overwrite", quarantine.TriggerKey+"=false"), pod.Namespace, pod.Name),
		DedupeKey: "unlabelled",
	}
}
