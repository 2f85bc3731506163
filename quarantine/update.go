package quarantine

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reinvocationWindow is how much earlier in the same admission a time may have
// been written. The API server gives one admission at most 30 seconds.
const reinvocationWindow = 30 * time.Second

// keep decides a change of a quarantined pod's metadata. The pod stays as it is;
// where a selector has come to match it, or a controller is adopting it, it is
// taken out again.
//
// As in a quarantine, everything is computed from the stored pod and from what
// this request changes in it.
func (r *Config) keep(req Request, status Status) Decision {
	selecting := binding(req.Selectors.Matching(req.Old.Labels))
	original := r.requestedLabels(req)
	original[QuarantinedLabel] = QuarantinedValue
	if by := newlyMatching(req, original, selecting); by != nil {
		return forbidden(ReasonReselected, metadataPath.Child("labels"), messageReselected(req.Old, by))
	}
	if ref := unexplainedOwner(req, selecting); ref != nil {
		return forbidden(ReasonOwnerAdded, metadataPath.Child("ownerReferences"), messageOwnerAdded(req.Old, ref))
	}

	changes := newEdit()
	changes.dropOwners = true
	for _, key := range []string{ForceKey, ExtendKey, RecheckKey} {
		changes.removeAnnotation(key)
	}
	record := status.Record
	warnings := r.takeOutAgain(req, changes, &record, original, selecting)
	expires := r.extend(req, status, &record)
	changes.setLabel(QuarantinedLabel, QuarantinedValue)
	changes.setAnnotation(QuarantinedAtKey, req.Old.Annotations[QuarantinedAtKey])
	changes.setAnnotation(QuarantinedByKey, req.Old.Annotations[QuarantinedByKey])
	changes.setAnnotation(ExpiresAtKey, expires)
	changes.setAnnotation(RecordKey, req.Old.Annotations[RecordKey])
	if record.String() != status.Record.String() {
		changes.setAnnotation(RecordKey, record.String())
	}
	if forgesRecord(req, changes) {
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordKept(req.Old))
	}
	decision := Decision{Action: ActionNone, Warnings: append(warnings, keepWarnings(req, expires)...), Patch: changes.patch(req.New)}
	switch {
	case len(selecting) > 0:
		decision.Action = ActionDetach
		decision.DetachedFrom = names(selecting)
	case expires != req.Old.Annotations[ExpiresAtKey]:
		decision.Action = ActionExtend
	case len(decision.Patch) > 0:
		decision.Action = ActionDropAnnotations
	}
	return decision
}

// takeOutAgain rewrites what it takes to escape those that select the stored pod.
// An original once recorded stays recorded.
func (r *Config) takeOutAgain(req Request, changes *edit, record *Record, original map[string]string, selecting []*SelectingObject) []string {
	if len(selecting) == 0 {
		return nil
	}
	out := newEscape(r, req.Selectors, original)
	var keys []string
	for _, s := range selecting {
		keys = append(keys, s.requiredKeys()...)
	}
	out.run(keys)
	changed := out.changed()
	became := results(changed, out.labels)
	record.Labels = merged(changed, record.Labels)
	record.Rewritten = merged(record.Rewritten, became)
	record.DetachedFrom = slices.Clone(record.DetachedFrom)
	for _, name := range names(selecting) {
		if !slices.Contains(record.DetachedFrom, name) {
			record.DetachedFrom = append(record.DetachedFrom, name)
		}
	}
	maps.Copy(changes.labels, became)
	if left := binding(req.Selectors.Matching(out.labels)); len(left) > 0 {
		return []string{warnStillSelected(left[0])}
	}
	return []string{warnTakenOutAgain(selecting)}
}

// extend is the new value of expires-at. In the second call of an admission the
// annotation is gone, and the record says what it was.
func (r *Config) extend(req Request, status Status, record *Record) string {
	was, written := req.Old.Annotations[ExpiresAtKey], req.New.Annotations[ExpiresAtKey]
	asked, ok := req.New.Annotations[ExtendKey]
	if !ok && written != was {
		asked = StatusOf(req.New.Labels, req.New.Annotations).Record.Extended
	}
	more, err := r.duration(asked)
	if err != nil {
		return was
	}
	until := req.Time.Add(more)
	if !until.After(status.ExpiresAt) {
		return was
	}
	record.Extended = asked
	if at, err := time.Parse(time.RFC3339, written); err == nil && at.After(status.ExpiresAt) &&
		!at.After(until.Add(time.Second)) && until.Sub(at) < reinvocationWindow {
		return written // by an earlier call
	}
	return stampUp(until)
}

// newlyMatching is a selector that matches because of what this request changes.
func newlyMatching(req Request, requested map[string]string, selecting []*SelectingObject) *SelectingObject {
	for _, candidate := range []map[string]string{requested, merged(map[string]string{QuarantinedLabel: QuarantinedValue}, req.New.Labels)} {
		for _, s := range binding(req.Selectors.Matching(candidate)) {
			if !slices.Contains(selecting, s) {
				return s
			}
		}
	}
	return nil
}

// unexplainedOwner is an ownerReference that this request adds, and that is not
// of a controller which selects the pod and so adopts it.
func unexplainedOwner(req Request, selecting []*SelectingObject) *metav1.OwnerReference {
	for i := range req.New.OwnerReferences {
		ref := &req.New.OwnerReferences[i]
		had := slices.ContainsFunc(req.Old.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == ref.UID })
		adopter := slices.ContainsFunc(selecting, func(s *SelectingObject) bool { return s.UID == ref.UID })
		if !had && !adopter {
			return ref
		}
	}
	return nil
}

// forgesRecord reports whether a key of the record is neither as it is stored nor
// as this decision writes it.
func forgesRecord(req Request, changes *edit) bool {
	if changedKey(req.Old.Labels, req.New.Labels, QuarantinedLabel) && !changes.isWritten(changes.labels, req.New.Labels, QuarantinedLabel) {
		return true
	}
	return slices.ContainsFunc(recordAnnotations, func(key string) bool {
		return changedKey(req.Old.Annotations, req.New.Annotations, key) && !changes.isWritten(changes.annotations, req.New.Annotations, key)
	})
}

// binding leaves out the PodDisruptionBudgets.
func binding(selectors []*SelectingObject) []*SelectingObject {
	return slices.DeleteFunc(slices.Clone(selectors), func(s *SelectingObject) bool { return s.Kind == KindPodDisruptionBudget })
}

func names(selectors []*SelectingObject) []string {
	list := make([]string, len(selectors))
	for i, s := range selectors {
		list[i] = s.String()
	}
	return list
}
