package quarantine

import (
	"encoding/json"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// release (T6) restores the pod's labels, annotations and owners, except those that
// someone changed since. It does not restore the controller: that adopts the pod again
// by its labels, and then has one pod too many.
func release(req Request, status Status) Decision {
	record, lost := status.Record, unrestored{}
	if status.State == Damaged {
		if err := json.Unmarshal([]byte(req.Old.Annotations[RecordKey]), &record); err != nil {
			lost.Record = req.Old.Annotations[RecordKey]
		}
	}
	changes := newEdit()
	changes.removeLabel(QuarantinedLabel)
	lost.Labels = restoreLabels(req, record, changes)
	adopted := adoptionOf(req, status, record, changes.labels.appliedTo(req.New.Labels))
	if status.Held && adopted.mayDelete() && req.New.Annotations[ForceKey] != True && !alreadyReleased(req) {
		return forbidden(ReasonHeld, annotationPath(HoldKey), messageHeld(req.Old, adopted))
	}
	lost.Annotations = restoreAnnotations(req, record, changes)
	lost.OwnerReferences = restoreOwners(req, record, adopted, changes)
	for _, key := range slices.Concat(requestAnnotations, recordAnnotations) {
		changes.removeAnnotation(key)
	}
	if !lost.empty() {
		changes.setAnnotation(UnrestoredKey, lost.over(req.Old.Annotations[UnrestoredKey]).String())
	}
	return Decision{
		Action:   ActionRelease,
		Warnings: releaseWarnings(status, adopted, lost),
		Patch:    changes.patch(req.New),
	}
}

// alreadyReleased reports whether an earlier call of the same admission has released the
// pod, and removed force.
func alreadyReleased(req Request) bool { return !carriesRecord(req.New.Labels, req.New.Annotations) }

// restoreLabels returns the original values of the labels that it can't restore, because
// someone changed or removed them.
func restoreLabels(req Request, record Record, changes *edit) map[string]string {
	lost := map[string]string{}
	for key, original := range record.Labels {
		switch now := valueOf(req.New.Labels, key); {
		case equal(now, record.Rewritten[key]):
			changes.setLabel(key, original)
		case !equal(now, &original):
			lost[key] = original
		}
	}
	return lost
}

// restoreAnnotations returns the original values of the annotations that it can't restore,
// because someone set them.
func restoreAnnotations(req Request, record Record, changes *edit) map[string]string {
	lost := map[string]string{}
	for key, original := range record.Annotations {
		now := valueOf(req.New.Annotations, key)
		switch {
		case original != nil && (now == nil || *now == hintValues[key]):
			changes.setAnnotation(key, *original)
		case original != nil && *now != *original:
			lost[key] = *original
		case original == nil && now != nil && *now == hintValues[key]:
			changes.removeAnnotation(key)
		}
	}
	return lost
}

// restoreOwners returns the owners that it can't restore. isolate must not restore one that
// may be gone: the garbage collector deletes a pod whose owner does not exist. Nor does
// it restore the controller, which is lost if it does not adopt the pod.
func restoreOwners(req Request, record Record, adopted adoption, changes *edit) []metav1.OwnerReference {
	var lost []metav1.OwnerReference
	present := ownerUIDs(req.New.OwnerReferences)
	for _, ref := range record.OwnerReferences {
		switch {
		case present.Has(ref.UID):
		case isController(ref):
			if !adopted.certain() {
				lost = append(lost, ref)
			}
		case lookup(req.Selectors, ownerOf(ref)) != nil:
			ref.BlockOwnerDeletion = nil
			changes.owners = append(changes.owners, ref)
		default:
			lost = append(lost, ref)
		}
	}
	return lost
}

// unrestored is the value of the annotation [UnrestoredKey], in JSON: the original values
// that a release could not restore.
type unrestored struct {
	Labels          map[string]string       `json:"labels,omitempty"`
	Annotations     map[string]string       `json:"annotations,omitempty"`
	OwnerReferences []metav1.OwnerReference `json:"ownerReferences,omitempty"`

	// Record is the value of a record that can't be read.
	Record string `json:"record,omitempty"`
}

func (u unrestored) empty() bool {
	return len(u.Labels)+len(u.Annotations)+len(u.OwnerReferences)+len(u.Record) == 0
}

// over adds what an earlier release could not restore, according to the annotation's value.
// It ignores a value that it can't parse, which isolate did not write.
func (u unrestored) over(annotation string) unrestored {
	var before unrestored
	if json.Unmarshal([]byte(annotation), &before) != nil {
		return u
	}
	all := unrestored{
		Labels:          merged(before.Labels, u.Labels),
		Annotations:     merged(before.Annotations, u.Annotations),
		OwnerReferences: mergeOwners(u.OwnerReferences, before.OwnerReferences),
		Record:          u.Record,
	}
	if all.Record == "" {
		all.Record = before.Record
	}
	return all
}

// String returns the value of the annotation.
func (u unrestored) String() string {
	data, err := json.Marshal(u)
	if err != nil { // Strings and ownerReferences always encode.
		panic("encoding what a release can't restore: " + err.Error())
	}
	return string(data)
}

// owners returns the lost owners without the controller.
func (u unrestored) owners() []string {
	var list []string
	for _, ref := range u.OwnerReferences {
		if !isController(ref) {
			list = append(list, ownerOf(ref).String())
		}
	}
	return list
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
