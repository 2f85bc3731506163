package quarantine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Record is the value of the annotation [RecordKey], in JSON: what a release
// needs to put the pod back, and what the next admission needs to know of the
// one that wrote it.
//
// Fields that a newer release of isolate wrote are kept as they are.
type Record struct {
	// Labels are the original values of the labels that were rewritten or removed.
	Labels map[string]string `json:"labels,omitempty"`

	// OwnerReferences are those that were removed.
	OwnerReferences []metav1.OwnerReference `json:"ownerReferences,omitempty"`

	// Annotations are the original values of the annotations that were changed,
	// null for one that was not there.
	Annotations map[string]*string `json:"annotations,omitempty"`

	// Forced says that [ForceKey] was given in the admission that wrote the
	// record, and Extended the value of [ExtendKey] there. Both annotations are
	// gone by the time that admission is run a second time, because another
	// webhook changed the pod.
	Forced   bool   `json:"forced,omitempty"`
	Extended string `json:"extended,omitempty"`

	// Rewritten is what Labels became, null for one that was removed: a label that
	// is no longer so was changed by someone since.
	Rewritten map[string]*string `json:"rewritten,omitempty"`

	// Controller is what the pod counts for: a ReplicaSet's Deployment. Nil where the
	// pod had no controller, and in records that older releases wrote.
	BudgetOwner *BudgetOwner `json:"controller,omitempty"`

	// DetachedFrom names what selected or controlled the pod: Service/web.
	DetachedFrom []string `json:"detachedFrom,omitempty"`

	unknown map[string]json.RawMessage
}

// errNoObject is what is wrong with a record of null, which JSON takes for any type.
var errNoObject = errors.New("it must be a JSON object, and is null")

// recordFields has Record's fields without its methods.
type recordFields Record

var recordFieldNames = []string{"labels", "ownerReferences", "annotations", "forced", "extended", "rewritten", "controller", "detachedFrom", legacyDetachedFrom}

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
		return errNoObject
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

// String is the record as the annotation has it.
func (r Record) String() string {
	data, err := json.Marshal(r)
	if err != nil { // Only the raw fields could fail, and those were parsed.
		panic(fmt.Sprintf("encoding a record: %v", err))
	}
	return string(data)
}

// State is where a pod stands.
type State int

const (
	// Free pods carry nothing of the record.
	Free State = iota
	// Quarantined pods carry the label, both stamps and a readable record.
	Quarantined
	// Damaged pods carry a part of that, or something unreadable.
	Damaged
)

// Status is what a pod's metadata says of its isolation.
type Status struct {
	State State

	// Record, QuarantinedAt, ExpiresAt and By are set when State is Quarantined.
	Record                   Record
	QuarantinedAt, ExpiresAt time.Time
	By                       string

	// Held says that [HoldKey] keeps the pod from being deleted.
	Held bool

	// Problem says what is wrong when State is Damaged, naming the key.
	Problem error
}

// StatusOf reads a pod's isolation from its labels and annotations.
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

// recordAnnotations are the record's annotations, in the order they are written.
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

// stamp formats a time as the record has it; up rounds up to the next whole
// second, so that nothing expires early.
func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

func stampUp(t time.Time) string { return stamp(t.Add(time.Second - time.Nanosecond)) }
