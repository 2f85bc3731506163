package sweeper

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"isolate.example.io/quarantine"
)

// Reason says what an event is about: kubectl get events --field-selector=reason=… finds it.
type Reason string

// The reasons of events.
const (
	// ReasonQuarantined: the pod was taken out; also told of its former controller.
	ReasonQuarantined Reason = "Quarantined"
	// ReasonExpiresSoon: the pod's time is nearly up.
	ReasonExpiresSoon Reason = "ExpiresSoon"
	// ReasonExpired: the pod's time was up, and it was deleted.
	ReasonExpired Reason = "Expired"
	// ReasonReleased: the pod is no longer quarantined.
	ReasonReleased Reason = "Released"
	// ReasonBadRecord: the pod's record can't be relied on.
	ReasonBadRecord Reason = "BadRecord"
	// ReasonLeaked: something has come to select the pod. A warning where it still does.
	ReasonLeaked Reason = "Leaked"
	// ReasonIgnored: the pod carries the trigger and was never quarantined.
	ReasonIgnored Reason = "Ignored"
	// ReasonStillTerminating: the pod was deleted a while ago and is still there.
	ReasonStillTerminating Reason = "StillTerminating"
	// ReasonReplacementMissing: the former controller isn't back at strength; also told of that.
	ReasonReplacementMissing Reason = "ReplacementMissing"
)

const (
	reportingController = quarantine.Domain + "sweeper"

	// newsAge is how long an event is kept by an API server whose --event-ttl isn't
	// set. What is older is told no more: its event may have gone already.
	newsAge = time.Hour

	// Bounds of the API: see validation/events.go in pkg/apis/core.
	maxNote, maxInstance = 1024, 128
	// maxEventBase leaves room for the hash in the name of an event.
	maxEventBase = 200
)

// event is what is told of an object.
type event struct {
	regarding corev1.ObjectReference
	reason    Reason
	warning   bool
	note      string

	// once tells apart what may be told of the same object for the same reason. What
	// has the same object, reason and once is one event, whoever publishes it.
	once string
}

// name is the same for the same event, so that a replica that starts, or takes
// over, doesn't tell again what another has told.
func (e *event) name() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(e.regarding.UID), string(e.reason), e.once}, "\n")))
	base := e.regarding.Name
	if len(base) > maxEventBase {
		base = strings.TrimRight(base[:maxEventBase], "-.")
	}
	if len(validation.IsDNS1123Subdomain(base)) > 0 { // Some kinds take any name.
		base = "isolate"
	}
	return base + "." + hex.EncodeToString(sum[:8])
}

// object is the event as the API has it.
func (e *event) object(instance string, now time.Time) *eventsv1.Event {
	kind := corev1.EventTypeNormal
	if e.warning {
		kind = corev1.EventTypeWarning
	}
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.regarding.Namespace, Name: e.name()},
		EventTime:           metav1.NewMicroTime(now),
		ReportingController: reportingController,
		ReportingInstance:   clip(instance, maxInstance),
		Action:              string(e.reason),
		Reason:              string(e.reason),
		Regarding:           e.regarding,
		Note:                clip(e.note, maxNote),
		Type:                kind,
	}
}

// clip cuts text to so many bytes, between two characters.
func clip(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes-len("…")], "") + "…"
}

// podReference is the pod as the events of others refer to it.
func podReference(pod *metav1.PartialObjectMetadata) corev1.ObjectReference {
	return corev1.ObjectReference{
		APIVersion: podKind.GroupVersion().String(), Kind: podKind.Kind,
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
	}
}

// ownerReference is the pod's former controller, as its record has it; false if it
// had none.
func ownerReference(pod *metav1.PartialObjectMetadata, record quarantine.Record) (corev1.ObjectReference, bool) {
	for i := range record.OwnerReferences {
		if ref := &record.OwnerReferences[i]; ref.Controller != nil && *ref.Controller {
			return corev1.ObjectReference{
				APIVersion: ref.APIVersion, Kind: ref.Kind,
				Namespace: pod.Namespace, Name: ref.Name, UID: ref.UID,
			}, true
		}
	}
	return corev1.ObjectReference{}, false
}
