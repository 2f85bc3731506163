package events

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// TTL is how long an API server keeps an event unless its --event-ttl says
	// otherwise. An event about something older is not published: the API server may
	// have dropped the first one already, and people would see it a second time.
	TTL = time.Hour

	// Bounds of the API, in bytes: see ValidateEventCreate in pkg/apis/core/validation.
	maxNote, maxInstance = 1024, 128
	// maxNameBase leaves room for the hash in the name of an event.
	maxNameBase = 200
)

// Reporter is who publishes events.
type Reporter struct {
	// Controller is the program:
	// kubectl get events --field-selector=reportingComponent=isolate.example.io/sweeper
	Controller string

	// Instance is the replica.
	Instance string
}

// Publisher takes events to publish. Publish never blocks.
type Publisher interface {
	Publish(event Event)
}

// Event is one event about an object.
type Event struct {
	Regarding corev1.ObjectReference

	// Type is [corev1.EventTypeNormal] or [corev1.EventTypeWarning].
	Type string

	// Reason is one CamelCase word: kubectl get events --field-selector=reason=…
	Reason string

	// Note is a sentence whose important part comes first. It is truncated to 1,024
	// bytes.
	Note string

	// DedupeKey tells events with the same object and reason apart. Two events with the
	// same object, reason and key are one event, whichever replica publishes it.
	DedupeKey string
}

// Name returns the name of the Event object. It follows from the object, the reason
// and the key alone, so a replica that restarts or takes over publishes nothing twice.
func (e *Event) Name() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(e.Regarding.UID), e.Reason, e.DedupeKey}, "\n")))
	base := e.Regarding.Name
	if len(base) > maxNameBase {
		base = strings.TrimRight(base[:maxNameBase], "-.")
	}
	if len(validation.IsDNS1123Subdomain(base)) > 0 { // Some kinds allow any name.
		base = "isolate"
	}
	return base + "." + hex.EncodeToString(sum[:8])
}

// object returns the event as an API object.
func (e *Event) object(reporter Reporter, now time.Time) *eventsv1.Event {
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.Regarding.Namespace, Name: e.Name()},
		EventTime:           metav1.NewMicroTime(now),
		ReportingController: reporter.Controller,
		ReportingInstance:   truncate(reporter.Instance, maxInstance),
		Action:              e.Reason,
		Reason:              e.Reason,
		Regarding:           e.Regarding,
		Note:                truncate(e.Note, maxNote),
		Type:                e.Type,
	}
}

// truncate shortens text to at most so many bytes, between two characters.
func truncate(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxBytes-len("…")], "") + "…"
}
