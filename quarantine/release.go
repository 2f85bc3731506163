package quarantine

import (
	"encoding/json"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// release gives the pod back what it had. What someone has changed meanwhile
// stays as it is. The controller is not put back: it adopts the pod again by its
// labels, and then has one too many.
func release(req Request, status Status) Decision {
	record := status.Record
	if status.State == Damaged { // As much of it as can be read.
		_ = json.Unmarshal([]byte(req.Old.Annotations[RecordKey]), &record)
	}
	changes := newEdit()
	changes.removeLabel(QuarantinedLabel)
	restoreLabels(req, record, changes)
	fate := fateOf(req, status, record, labelsAfter(req.New, changes))
	if status.Held && fate.deletes() && req.New.Annotations[ForceKey] != True && !released(req) {
		return forbidden(ReasonHeld, annotationPath(HoldKey), messageHeld(req.Old, fate))
	}
	restoreAnnotations(req, record, changes)
	kept, lost := restorableOwners(req, record)
	changes.owners = missingOwners(req, kept)
	for _, key := range slices.Concat(requestAnnotations, recordAnnotations) {
		changes.removeAnnotation(key)
	}
	return Decision{
		Action:   ActionRelease,
		Warnings: releaseWarnings(status, fate, lost),
		Patch:    changes.patch(req.New),
	}
}

// released reports whether an earlier call in the same admission has released
// the pod already, and force with it.
func released(req Request) bool { return !carriesRecord(req.New.Labels, req.New.Annotations) }

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

// restorableOwners are the recorded owners, besides the controller, that still
// exist, so that the garbage collector has no reason to delete the pod; and those
// of which nobody here knows.
func restorableOwners(req Request, record Record) (kept, lost []metav1.OwnerReference) {
	for _, ref := range record.OwnerReferences {
		if ref.Controller != nil && *ref.Controller {
			continue
		}
		kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
		if known := req.Selectors.Lookup(kind, ref.Name); known != nil && known.UID == ref.UID {
			ref.BlockOwnerDeletion = nil
			kept = append(kept, ref)
		} else {
			lost = append(lost, ref)
		}
	}
	return kept, lost
}

func missingOwners(req Request, kept []metav1.OwnerReference) []metav1.OwnerReference {
	return slices.DeleteFunc(slices.Clone(kept), func(ref metav1.OwnerReference) bool {
		return slices.ContainsFunc(req.New.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == ref.UID })
	})
}

// merged is the first map with the second over it.
func merged[V any](under, over map[string]V) map[string]V {
	all := maps.Clone(under)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, over)
	return all
}
