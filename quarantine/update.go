package quarantine

import (
	"maps"
	"slices"
	"time"
)

// updateQuarantined (T9, T10) decides a change of a quarantined pod's metadata. It refuses
// no write for its labels and owners: the webhook sees the pod after other mutators and
// can't know who changed them. It detaches the pod again instead.
//
// As in a quarantine, everything follows from the stored pod and from what this write
// changes.
func (c *Config) updateQuarantined(req Request, status Status) Decision {
	selecting := blocking(req.Selectors.Matching(req.Old.Labels))
	labels := c.relabelQuarantined(req, selecting)
	changes := newEdit()
	changes.replaceLabels(req.New.Labels, labels.stored)
	changes.dropOwners = true
	for _, key := range []string{ForceKey, ExtendKey, RecheckKey} {
		changes.removeAnnotation(key)
	}
	ttl := keepTTL(req, changes)
	record := status.Record
	if len(selecting) > 0 {
		record.Labels = merged(labels.changed, record.Labels) // A recorded original stays.
		record.Rewritten = merged(record.Rewritten, labels.rewritten)
		record.addDetachedFrom(names(selecting)...)
	}
	if len(req.Old.OwnerReferences) > 0 || (len(selecting) > 0 && !maps.Equal(labels.stored, req.Old.Labels)) {
		record.DetachedAgain++
	}
	expires := c.extend(req, status, &record)
	writeRecord(req, changes, record.String(), status.Record.String(), expires)
	if forgesRecord(req, changes) {
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordKept(req.Old))
	}
	found := detachment{
		selecting:  selecting,
		remaining:  blocking(req.Selectors.Matching(labels.stored)),
		overridden: labels.overridden,
		owners:     addedOwners(req, selecting),
		ttl:        ttl,
		record:     !carriesRecord(req.New.Labels, req.New.Annotations),
	}
	return Decision{
		Action:       updateAction(req, changes, found, expires),
		Warnings:     updateWarnings(req.Old, found, expiryOf(req, expires)),
		Patch:        changes.patch(req.New),
		DetachedFrom: found.from(),
	}
}

// detachment is what a write to a quarantined pod would attach the pod to.
type detachment struct {
	// selecting have come to select the stored pod; remaining still select it, because no
	// label change detaches it.
	selecting, remaining []*SelectingObject

	// overridden and owners are the labels and owners of the write that are not stored.
	overridden []overriddenLabel
	owners     []*Owner

	// ttl says that the write sets a ttl, which is not stored.
	ttl bool

	// record says that the write omits the record, as the replacement of the pod by a
	// manifest does.
	record bool
}

// from names the objects.
func (d detachment) from() []string {
	list := names(d.selecting)
	for _, label := range d.overridden {
		if label.by != nil && !slices.Contains(list, label.by.String()) {
			list = append(list, label.by.String())
		}
	}
	for _, owner := range d.owners {
		if !slices.Contains(list, owner.String()) {
			list = append(list, owner.String())
		}
	}
	return list
}

// relabelQuarantined relabels the pod only if something that blocks a quarantine selects
// it: a PodDisruptionBudget alone is no reason.
func (c *Config) relabelQuarantined(req Request, selecting []*SelectingObject) relabeling {
	asked := merged(req.New.Labels, map[string]string{QuarantinedLabel: QuarantinedValue})
	if len(selecting) == 0 && len(blocking(req.Selectors.Matching(asked))) == 0 {
		return relabeling{stored: asked}
	}
	return c.relabel(req, requiredBy(selecting))
}

// addedOwners returns the owners that the write adds, without the controllers that adopt the
// pod because they have come to select it.
func addedOwners(req Request, selecting []*SelectingObject) []*Owner {
	var owners []*Owner
	for _, ref := range req.New.OwnerReferences {
		if !slices.ContainsFunc(selecting, func(s *SelectingObject) bool { return s.UID == ref.UID }) {
			owners = append(owners, ownerOf(ref))
		}
	}
	return owners
}

// keepTTL keeps the stored ttl if the write sets another, and reports whether it does. A
// ttl only counts when a pod is quarantined. The webhook does not refuse the write, because
// a policy that sets a ttl on every write would then block all writes.
func keepTTL(req Request, changes *edit) bool {
	if _, ok := req.New.Annotations[TTLKey]; !ok || !keyChanged(req.Old.Annotations, req.New.Annotations, TTLKey) {
		return false
	}
	changes.removeAnnotation(TTLKey)
	if was, ok := req.Old.Annotations[TTLKey]; ok {
		changes.setAnnotation(TTLKey, was)
	}
	return true
}

func updateAction(req Request, changes *edit, found detachment, expires string) Action {
	switch {
	case len(found.from()) > 0 || len(found.overridden) > 0:
		return ActionDetach
	case expires != req.Old.Annotations[ExpiresAtKey]:
		return ActionExtend
	case len(changes.patch(req.New)) > 0:
		return ActionDropAnnotations
	}
	return ActionNone
}

// writeRecord writes the stored record with the changes.
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

// forgesRecord reports whether a key of the record has neither the stored value nor the one
// of this decision. A write that omits all keys forges nothing: it replaces the pod by a
// manifest that never had them, and must not fail.
func forgesRecord(req Request, changes *edit) bool {
	if !carriesRecord(req.New.Labels, req.New.Annotations) {
		return false
	}
	if keyChanged(req.Old.Labels, req.New.Labels, QuarantinedLabel) && !changes.labels.isWritten(req.New.Labels, QuarantinedLabel) {
		return true
	}
	return slices.ContainsFunc(recordAnnotations, func(key string) bool {
		return keyChanged(req.Old.Annotations, req.New.Annotations, key) && !changes.annotations.isWritten(req.New.Annotations, key)
	})
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
	if at, err := time.Parse(time.RFC3339, written); err == nil && at.After(status.ExpiresAt) && until.Sub(at).Abs() < reinvocationWindow {
		return written // An earlier call wrote it.
	}
	return stampUp(until)
}
