package quarantine

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// release (T6) restores the pod's labels, annotations and owners, except those that
// someone changed since. It does not restore the controller: that adopts the pod again
// by its labels, and then has one pod too many.
func release(req Request, status Status) Decision {
	record := status.Record
	if status.State == Damaged {
		// Restore as much as is readable.
		_ = json.Unmarshal([]byte(req.Old.Annotations[RecordKey]), &record)
	}
	changes := newEdit()
	changes.removeLabel(QuarantinedLabel)
	restoreLabels(req, record, changes)
	adopted := adoptionOf(req, status, record, changes.labelsAfter(req.New))
	if status.Held && adopted.mayDelete() && req.New.Annotations[ForceKey] != True && !alreadyReleased(req) {
		return forbidden(ReasonHeld, annotationPath(HoldKey), messageHeld(req.Old, adopted))
	}
	restoreAnnotations(req, record, changes)
	restorable, lost := recordedOwners(req, record)
	changes.owners = slices.DeleteFunc(restorable, func(ref metav1.OwnerReference) bool {
		return hasOwner(req.New.OwnerReferences, ref.UID)
	})
	for _, key := range slices.Concat(requestAnnotations, recordAnnotations) {
		changes.removeAnnotation(key)
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

func restoreLabels(req Request, record Record, changes *edit) {
	for key, original := range record.Labels {
		now, has := req.New.Labels[key]
		wrote := record.Rewritten[key]
		if (wrote == nil && !has) || (wrote != nil && has && now == *wrote) {
			changes.setLabel(key, original)
		}
	}
}

func restoreAnnotations(req Request, record Record, changes *edit) {
	for key, original := range record.Annotations {
		now, has := req.New.Annotations[key]
		switch {
		case original != nil && !has:
			changes.setAnnotation(key, *original)
		case original == nil && has && now == hintValues[key]:
			changes.removeAnnotation(key)
		}
	}
}

// recordedOwners returns the recorded owners without the controller: those that still
// exist, and the others. An owner that is gone would have the garbage collector delete
// the pod.
func recordedOwners(req Request, record Record) (restorable, lost []metav1.OwnerReference) {
	for _, ref := range record.OwnerReferences {
		switch {
		case isController(ref):
		case lookup(req.Selectors, ownerOf(ref)) != nil:
			ref.BlockOwnerDeletion = nil
			restorable = append(restorable, ref)
		default:
			lost = append(lost, ref)
		}
	}
	return restorable, lost
}
