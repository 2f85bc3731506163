package leakguard

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	logDetached = "Something started to select the pod; the webhook detached it again"
	logUnknown  = "It is not known yet what selects the pod; retrying"
	logUnlisted = "Could not list the quarantined pods of a namespace in which a selector changed"
)

var errLeaks = errors.New("the webhook has not detached the pod from what selects it")

// reasonLeaked is the reason of both events: a Warning while the pod leaks.
const reasonLeaked = "Leaked"

// detachedEvent is published when the webhook has detached a leaking pod again. The
// resulting resourceVersion distinguishes one leak from the next.
func detachedEvent(pod *metav1.PartialObjectMetadata, selecting string) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeNormal, Reason: reasonLeaked,
		Note: fmt.Sprintf("%s started to select this quarantined pod, and isolate detached the pod again. "+
			"Check the selector: kubectl describe -n %s %s", selecting, pod.Namespace, selecting),
		DedupeKey: selecting + pod.ResourceVersion,
	}
}

// leakingEvent is published when the webhook does not detach the pod.
func leakingEvent(pod *metav1.PartialObjectMetadata, selecting string) events.Event {
	return events.Event{
		Regarding: quarantinedpods.Reference(pod),
		Type:      corev1.EventTypeWarning, Reason: reasonLeaked,
		Note: fmt.Sprintf("%s selects this quarantined pod, and isolate could not detach the pod. "+
			"Change that selector (kubectl edit -n %s %s), or check that isolate's webhook is running; isolate keeps retrying",
			selecting, pod.Namespace, selecting),
		DedupeKey: selecting,
	}
}
