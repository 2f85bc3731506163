package quarantine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stampTolerance is how far the time by which the webhook stamps may be behind the API
// server's without the stamps being implausible: see package clocks.
const stampTolerance = 2 * time.Second

// storedAt returns a time by the API server's clock at which the pod's stamps were stored
// at the earliest.
//
// A pod is not quarantined before it is created. The write that quarantines it sets the
// trigger, so the managed fields of the manager that set it have the time of that write,
// or of a later write by the same manager. (The API server assigns fields before
// admission, so the stamps themselves have no manager: see applyJSPatch and
// applyPatchToCurrentObject in apiserver/pkg/endpoints/handlers/patch.go.) A later write
// is recognized by its fields: a quarantine sets nothing but the keys below. A hold is
// not among them, so a hold that is withdrawn after the expiry does not make the expiry
// implausible.
func storedAt(pod *metav1.ObjectMeta) time.Time {
	stored := pod.CreationTimestamp.Time
	for i := range pod.ManagedFields {
		if entry := &pod.ManagedFields[i]; isQuarantineWrite(entry) && entry.Time.After(stored) {
			stored = entry.Time.Time
		}
	}
	return stored
}

// TriggerWrites returns those of a pod's managed fields that [VerdictOf] needs. It
// reuses the slice.
func TriggerWrites(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	kept := entries[:0]
	for i := range entries {
		if isQuarantineWrite(&entries[i]) {
			kept = append(kept, entries[i])
		}
	}
	clear(entries[len(kept):])
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// quarantineFields are the annotations that a request for a quarantine or an extension
// sets, and those of the record, as managed fields name them.
var quarantineFields = map[string]bool{
	".":                     true,
	"f:" + TriggerKey:       true,
	"f:" + TTLKey:           true,
	"f:" + ReasonKey:        true,
	"f:" + ForceKey:         true,
	"f:" + ExtendKey:        true,
	"f:" + QuarantinedAtKey: true,
	"f:" + ExpiresAtKey:     true,
	"f:" + QuarantinedByKey: true,
	"f:" + RecordKey:        true,
}

// isQuarantineWrite reports whether an entry has the trigger or the expiry, and no field
// that a quarantine does not set.
func isQuarantineWrite(entry *metav1.ManagedFieldsEntry) bool {
	if entry.Time == nil || entry.FieldsV1 == nil || entry.Subresource != "" {
		return false
	}
	raw := entry.FieldsV1.GetRawBytes()
	if !bytes.Contains(raw, []byte(Domain)) { // Most entries, without parsing them.
		return false
	}
	var fields map[string]map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || len(fields) != 1 || len(fields["f:metadata"]) != 1 {
		return false
	}
	var annotations map[string]json.RawMessage
	if json.Unmarshal(fields["f:metadata"]["f:annotations"], &annotations) != nil {
		return false
	}
	for key := range annotations {
		if !quarantineFields[key] {
			return false
		}
	}
	_, trigger := annotations["f:"+TriggerKey]
	_, expiry := annotations["f:"+ExpiresAtKey]
	return trigger || expiry
}

func errImplausibleExpiry(expiresAt, stored time.Time) error {
	return fmt.Errorf("annotation %s is %s, but the API server stored it at %s or later, so the clock by which isolate stamped it was behind",
		ExpiresAtKey, stamp(expiresAt), stamp(stored))
}
