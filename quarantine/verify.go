package quarantine

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Verify decides whether a write that quarantines may be stored. Other webhooks may be called
// after isolate's last call, and can attach the pod again or remove the record. Nothing
// changes the pod after this check, so an admitted quarantine is effective.
//
// managedFields are those of the new pod, as JSON.
func Verify(req Request, managedFields []byte) Decision {
	if !req.Triggered() {
		return Decision{Action: ActionNone}
	}
	if len(req.New.OwnerReferences) > 0 {
		return forbidden(ReasonReattached, metadataPath.Child("ownerReferences"), messageOwnerReattached(req.New, ownerOf(req.New.OwnerReferences[0])))
	}
	status := StatusOf(req.New.Labels, req.New.Annotations)
	if status.State != Quarantined { // A release could restore nothing.
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordNotStored(req.New, status.Problem))
	}
	attached := blocking(req.Selectors.Matching(req.New.Labels))
	if len(attached) == 0 {
		return Decision{Action: ActionNone}
	}
	found := reattachment{pod: req.New, by: attached[0]}
	rewritten := status.Record.Rewritten
	for _, requirement := range found.by.Requirements {
		key := requirement.Key()
		now := valueOf(req.New.Labels, key)
		changed := keyChanged(req.Old.Labels, req.New.Labels, key)
		if wrote, recorded := rewritten[key]; recorded {
			changed = !equal(now, wrote)
		}
		if changed && key != QuarantinedLabel {
			found.key, found.value = key, now
			if keyChanged(req.Old.Labels, req.New.Labels, key) {
				found.managers = managersOf(managedFields, key)
			}
			break
		}
	}
	return forbidden(ReasonReattached, metadataPath.Child("labels"), found.message())
}

// reattachment is what would attach the quarantined pod again.
type reattachment struct {
	pod *Metadata
	by  *SelectingObject

	// key and value are the label by which the object selects the pod and that isolate did
	// not write; the value is nil for a label that was removed, and the key "" if isolate
	// wrote all of them.
	key   string
	value *string

	// managers are the field managers that own the label, if its value is a new one. The
	// API server attributes what a webhook changes to the manager of the request.
	managers []string
}

// managersOf returns the field managers that own a label.
func managersOf(managedFields []byte, key string) []string {
	var managed []metav1.ManagedFieldsEntry
	if json.Unmarshal(managedFields, &managed) != nil {
		return nil // The denial names the label without them.
	}
	var managers []string
	for _, entry := range managed {
		var fields struct {
			Metadata struct {
				Labels map[string]json.RawMessage `json:"f:labels"`
			} `json:"f:metadata"`
		}
		if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if _, owns := fields.Metadata.Labels["f:"+key]; owns {
			managers = append(managers, entry.Manager)
		}
	}
	return managers
}
