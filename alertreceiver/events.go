package alertreceiver

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/sweeper/events"
)

// reportingController is the same for every event of the receiver.
const reportingController = "isolate.example.io/alert-receiver"

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

// reasonRefused is the reason of the event on a pod that an alert did not quarantine.
const reasonRefused = "AlertRefused"

// refusedEvent is one event for each alert and reason, however often Alertmanager repeats the
// alert.
func refusedEvent(pod *metav1.PartialObjectMetadata, t target, refused *refusal) events.Event {
	return events.Event{
		Regarding: corev1.ObjectReference{
			APIVersion: podKind.GroupVersion().String(), Kind: podKind.Kind,
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
		},
		Type: corev1.EventTypeWarning, Reason: reasonRefused,
		Note:      eventNote(t, refused),
		DedupeKey: t.fingerprint + t.startsAt.UTC().Format(time.RFC3339Nano) + string(refused.reason),
	}
}
