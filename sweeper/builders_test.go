package sweeper

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

// noon is when the pods of these tests expire.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// change changes a pod.
type change func(*metav1.PartialObjectMetadata)

// quarantined returns a pod with a complete record that expires at noon, changed.
func quarantined(changes ...change) *metav1.PartialObjectMetadata {
	pod := newPod()
	pod.Namespace, pod.Name, pod.UID, pod.ResourceVersion = "ah", "web-1", "uid-1", "7"
	pod.Labels = map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}
	pod.Annotations = map[string]string{
		quarantine.TriggerKey:       quarantine.True,
		quarantine.QuarantinedAtKey: noon.Add(-time.Hour).Format(time.RFC3339),
		quarantine.ExpiresAtKey:     noon.Format(time.RFC3339),
		quarantine.QuarantinedByKey: "jane",
		quarantine.RecordKey:        "{}",
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func annotated(key, value string) change {
	return func(pod *metav1.PartialObjectMetadata) { pod.Annotations[key] = value }
}

func without(key string) change {
	return func(pod *metav1.PartialObjectMetadata) {
		delete(pod.Labels, key)
		delete(pod.Annotations, key)
	}
}

func terminating(pod *metav1.PartialObjectMetadata) {
	pod.DeletionTimestamp = &metav1.Time{Time: noon}
}

func metav1Cause(kind metav1.CauseType) metav1.StatusCause { return metav1.StatusCause{Type: kind} }
