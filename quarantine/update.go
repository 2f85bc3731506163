package quarantine

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reinvocationWindow is the longest time between two calls of one admission. The API
// server limits an admission to 30 seconds.
const reinvocationWindow = 30 * time.Second

// updateQuarantined (T9, T10) decides a change of a quarantined pod's metadata. If a
// selector has come to match the pod, or a controller adopts it, isolate detaches it again.
//
// As in a quarantine, everything follows from the stored pod and from what this write
// changes.
func (c *Config) updateQuarantined(req Request, status Status) Decision {
	selecting := blocking(req.Selectors.Matching(req.Old.Labels))
	original := c.requestedLabels(req)
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
	left := c.detachAgain(req, changes, &record, original, selecting)
	expires := c.extend(req, status, &record)
	writeRecord(req, changes, record.String(), status.Record.String(), expires)
	if forgesRecord(req, changes) {
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordKept(req.Old))
	}
	decision := Decision{
		Action:   ActionNone,
		Warnings: updateWarnings(selecting, left, expiryOf(req, expires)),
		Patch:    changes.patch(req.New),
	}
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

// writeRecord keeps the record as it is stored, but for what changed.
func writeRecord(req Request, changes *edit, record, before, expires string) {
	changes.setLabel(QuarantinedLabel, QuarantinedValue)
	changes.setAnnotation(QuarantinedAtKey, req.Old.Annotations[QuarantinedAtKey])
	changes.setAnnotation(QuarantinedByKey, req.Old.Annotations[QuarantinedByKey])
	changes.setAnnotation(ExpiresAtKey, expires)
	changes.setAnnotation(RecordKey, req.Old.Annotations[RecordKey])
	if record != before {
		changes.setAnnotation(RecordKey, record)
	}
}

// detachAgain rewrites the labels by which objects select the stored pod, and returns
// those that no label change escapes. A recorded original is never overwritten.
func (c *Config) detachAgain(req Request, changes *edit, record *Record, original map[string]string, selecting []*SelectingObject) []*SelectingObject {
	if len(selecting) == 0 {
		return nil
	}
	search := newRewriteSearch(c, req.Selectors, original)
	var keys []string
	for _, s := range selecting {
		keys = append(keys, s.requiredKeys()...)
	}
	search.run(keys)
	changed := search.changed()
	rewritten := newValues(changed, search.labels)
	record.Labels = merged(changed, record.Labels)
	record.Rewritten = merged(record.Rewritten, rewritten)
	record.DetachedFrom = slices.Clone(record.DetachedFrom)
	for _, name := range names(selecting) {
		if !slices.Contains(record.DetachedFrom, name) {
			record.DetachedFrom = append(record.DetachedFrom, name)
		}
	}
	maps.Copy(changes.labels, rewritten)
	return blocking(req.Selectors.Matching(search.labels))
}

// extend returns the new value of expires-at. In the second call of an admission the
// annotation is gone, and the record has its value.
func (c *Config) extend(req Request, status Status, record *Record) string {
	was, written := req.Old.Annotations[ExpiresAtKey], req.New.Annotations[ExpiresAtKey]
	asked, ok := req.New.Annotations[ExtendKey]
	if !ok && written != was {
		asked = StatusOf(req.New.Labels, req.New.Annotations).Record.Extended
	}
	longer, err := c.duration(asked)
	if err != nil {
		return was
	}
	until := req.Time.Add(longer)
	if !until.After(status.ExpiresAt) {
		return was
	}
	record.Extended = asked
	if at, err := time.Parse(time.RFC3339, written); err == nil && at.After(status.ExpiresAt) &&
		!at.After(until.Add(time.Second)) && until.Sub(at) < reinvocationWindow {
		return written // An earlier call wrote it.
	}
	return stampUp(until)
}

// expiry says what a write changes about the deletion of a quarantined pod.
type expiry struct {
	change expiryChange
	at     time.Time
}

type expiryChange int

const (
	expiryUnchanged expiryChange = iota
	expiryHeld                   // the pod is held
	expiryNow                    // the hold is gone, and the pod has expired
	expiryLater                  // extend asks for less than what is left
	expiryUnheld                 // the hold is gone
	expiryExtended
)

func expiryOf(req Request, expires string) expiry {
	wasHeld, isHeld := req.Old.Annotations[HoldKey] == True, req.New.Annotations[HoldKey] == True
	_, extends := req.New.Annotations[ExtendKey]
	unmoved := expires == req.Old.Annotations[ExpiresAtKey]
	at, err := time.Parse(time.RFC3339, expires)
	e := expiry{at: at}
	switch {
	case err != nil || (!extends && wasHeld == isHeld && unmoved):
		e.change = expiryUnchanged
	case isHeld:
		e.change = expiryHeld
	case !req.Time.Before(at):
		e.change = expiryNow
	case extends && unmoved:
		e.change = expiryLater
	case unmoved:
		e.change = expiryUnheld
	default:
		e.change = expiryExtended
	}
	return e
}

// newlyMatching returns an object whose selector matches because of what this write
// changes, or nil.
func newlyMatching(req Request, requested map[string]string, selecting []*SelectingObject) *SelectingObject {
	for _, candidate := range []map[string]string{requested, merged(map[string]string{QuarantinedLabel: QuarantinedValue}, req.New.Labels)} {
		for _, s := range blocking(req.Selectors.Matching(candidate)) {
			if !slices.Contains(selecting, s) {
				return s
			}
		}
	}
	return nil
}

// unexplainedOwner returns an ownerReference that this write adds, unless it is that of
// a controller which selects the pod and so adopts it; or nil.
func unexplainedOwner(req Request, selecting []*SelectingObject) *metav1.OwnerReference {
	for i := range req.New.OwnerReferences {
		ref := &req.New.OwnerReferences[i]
		adopter := slices.ContainsFunc(selecting, func(s *SelectingObject) bool { return s.UID == ref.UID })
		if !hasOwner(req.Old.OwnerReferences, ref.UID) && !adopter {
			return ref
		}
	}
	return nil
}

// forgesRecord reports whether a key of the record is neither as it is stored nor as
// this decision writes it.
func forgesRecord(req Request, changes *edit) bool {
	if keyChanged(req.Old.Labels, req.New.Labels, QuarantinedLabel) && !changes.isWritten(changes.labels, req.New.Labels, QuarantinedLabel) {
		return true
	}
	return slices.ContainsFunc(recordAnnotations, func(key string) bool {
		return keyChanged(req.Old.Annotations, req.New.Annotations, key) && !changes.isWritten(changes.annotations, req.New.Annotations, key)
	})
}
