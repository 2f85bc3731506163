package quarantine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Record is the value of the annotation [RecordKey], in JSON: what a release restores,
// and what the next admission needs to know of the one that wrote it.
//
// Unknown fields, which a newer release of isolate wrote, are kept unchanged.
type Record struct {
	// Labels are the original values of the labels that were rewritten or removed.
	Labels map[string]string `json:"labels,omitempty"`

	// OwnerReferences are the ownerReferences that were removed.
	OwnerReferences []metav1.OwnerReference `json:"ownerReferences,omitempty"`

	// Annotations are the original values of the annotations that were changed, null
	// for one that did not exist.
	Annotations map[string]*string `json:"annotations,omitempty"`

	// Forced says that the admission that wrote the record had [ForceKey], and Extended
	// is the value of [ExtendKey] in it. The API server calls the webhook again if
	// another webhook changed the pod, and by then both annotations are gone.
	Forced   bool   `json:"forced,omitempty"`
	Extended string `json:"extended,omitempty"`

	// Rewritten are the new values of Labels, null for one that was removed. A label
	// with any other value was changed by someone since.
	Rewritten map[string]*string `json:"rewritten,omitempty"`

	// BudgetOwner is the controller for whose budget the pod counts. It is nil if the
	// pod had no controller, and in records that older releases wrote.
	BudgetOwner *BudgetOwner `json:"controller,omitempty"`

	// DetachedFrom names what selected or controlled the pod: Service/web. It has at most
	// [maxDetachedFrom] names, and MoreDetachedFrom is the number of the others.
	DetachedFrom     []string `json:"detachedFrom,omitempty"`
	MoreDetachedFrom int      `json:"moreDetachedFrom,omitempty"`

	// DetachedAgain counts the writes that detached the quarantined pod again, so that each of
	// them changes the record. Otherwise, if a later webhook undid all of isolate's changes,
	// the pod would equal the stored one, and the API server would not call isolate's webhook
	// again.
	DetachedAgain int `json:"detachedAgain,omitempty"`

	unknown map[string]json.RawMessage
}

// maxDetachedFrom bounds the record: a pod can have any number of Services.
const maxDetachedFrom = 32

// addDetachedFrom names further objects in the record, or counts them.
func (r *Record) addDetachedFrom(names ...string) {
	r.DetachedFrom = slices.Clone(r.DetachedFrom)
	for _, name := range names {
		switch {
		case slices.Contains(r.DetachedFrom, name):
		case len(r.DetachedFrom) < maxDetachedFrom:
			r.DetachedFrom = append(r.DetachedFrom, name)
		default:
			r.MoreDetachedFrom++
		}
	}
}

// errNotObject is the error for a record of null, which JSON accepts for any type.
var errNotObject = errors.New("must be a JSON object, not null")

// recordFields has Record's fields without its methods.
type recordFields Record

var recordFieldNames = []string{"labels", "ownerReferences", "annotations", "forced", "extended", "rewritten", "controller", "detachedFrom", "moreDetachedFrom", "detachedAgain", legacyDetachedFrom}

// legacyDetachedFrom is the name of detachedFrom in records written before v0.1.0.
// No such record outlives the longest ttl, 30 days unless configured otherwise, or
// its hold: reading it can go with v0.2.0.
const legacyDetachedFrom = "letGo"

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Record) UnmarshalJSON(data []byte) error {
	var fields recordFields
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &fields.unknown); err != nil {
		return err
	}
	if fields.unknown == nil {
		return errNotObject
	}
	if legacy, ok := fields.unknown[legacyDetachedFrom]; ok && fields.DetachedFrom == nil {
		if err := json.Unmarshal(legacy, &fields.DetachedFrom); err != nil {
			return err
		}
	}
	for _, name := range recordFieldNames {
		delete(fields.unknown, name)
	}
	*r = Record(fields)
	return nil
}

// MarshalJSON implements [json.Marshaler]. Equal records give equal bytes.
func (r Record) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(recordFields(r))
	if err != nil || len(r.unknown) == 0 {
		return known, err
	}
	all := maps.Clone(r.unknown)
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// String returns the value of the annotation.
func (r Record) String() string {
	data, err := r.MarshalJSON()
	if err != nil { // Only the raw fields could fail, and those were parsed.
		panic(fmt.Sprintf("encoding a record: %v", err))
	}
	return string(data)
}

// State is a pod's state of isolation.
type State int

const (
	// Free pods have no part of the record.
	Free State = iota
	// Quarantined pods have the label, both stamps and a readable record.
	Quarantined
	// Damaged pods have only a part of that, or something unreadable.
	Damaged
)

// Status is the state of a pod's isolation according to its metadata.
type Status struct {
	State State

	// Record, QuarantinedAt, ExpiresAt and By are set when State is Quarantined.
	Record                   Record
	QuarantinedAt, ExpiresAt time.Time
	By                       string

	// Held says that [HoldKey] keeps the pod from being deleted.
	Held bool

	// Problem says which key is missing or unreadable if State is Damaged.
	Problem error
}

// StatusOf returns the status of a pod with these labels and annotations.
func StatusOf(podLabels, annotations map[string]string) Status {
	if !carriesRecord(podLabels, annotations) {
		return Status{State: Free}
	}
	status := Status{State: Quarantined, By: annotations[QuarantinedByKey], Held: annotations[HoldKey] == True}
	if err := status.read(podLabels, annotations); err != nil {
		return Status{State: Damaged, Problem: err, Held: status.Held}
	}
	return status
}

func (s *Status) read(podLabels, annotations map[string]string) (err error) {
	if value := podLabels[QuarantinedLabel]; value != QuarantinedValue {
		return fmt.Errorf("label %s is %q, not %q", QuarantinedLabel, value, QuarantinedValue)
	}
	if s.QuarantinedAt, err = readStamp(annotations, QuarantinedAtKey); err != nil {
		return err
	}
	if s.ExpiresAt, err = readStamp(annotations, ExpiresAtKey); err != nil {
		return err
	}
	if _, ok := annotations[QuarantinedByKey]; !ok {
		return fmt.Errorf("annotation %s is missing", QuarantinedByKey)
	}
	value, ok := annotations[RecordKey]
	if !ok {
		return fmt.Errorf("annotation %s is missing", RecordKey)
	}
	if err := json.Unmarshal([]byte(value), &s.Record); err != nil {
		return fmt.Errorf("annotation %s is not a record: %w", RecordKey, err)
	}
	return nil
}

func readStamp(annotations map[string]string, key string) (time.Time, error) {
	value, ok := annotations[key]
	if !ok {
		return time.Time{}, fmt.Errorf("annotation %s is missing", key)
	}
	stamp, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, fmt.Errorf("annotation %s is %q, not a time such as 2006-01-02T15:04:05Z", key, value)
	}
	return stamp, nil
}

// recordAnnotations are the annotations that only isolate writes.
var recordAnnotations = []string{QuarantinedAtKey, ExpiresAtKey, QuarantinedByKey, RecordKey}

func carriesRecord(podLabels, annotations map[string]string) bool {
	if _, ok := podLabels[QuarantinedLabel]; ok {
		return true
	}
	for _, key := range recordAnnotations {
		if _, ok := annotations[key]; ok {
			return true
		}
	}
	return false
}

// stamp formats a time for the record, rounded down to whole seconds.
func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// stampUp formats a time for the record, rounded up to whole seconds, so that no pod
// expires early.
func stampUp(t time.Time) string { return stamp(t.Add(time.Second - time.Nanosecond)) }

// errStampOrder says that the stamps of a record contradict each other.
var errStampOrder = fmt.Errorf("annotation %s is before %s", ExpiresAtKey, QuarantinedAtKey)
