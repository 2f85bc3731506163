package quarantine

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// quarantine (T11) detaches the pod from every selector and owner, and stamps when it
// expires: labels, ownerReferences and record change in one patch.
//
// Everything follows from the stored pod and from what this write changes, never from
// what an earlier call of the webhook wrote, so that deciding again changes nothing.
func (c *Config) quarantine(req Request) Decision {
	search := newRewriteSearch(c, req.Selectors, c.requestedLabels(req))
	search.run(c.keysToRewrite(req))
	changed := search.changed()
	stored := storedLabels(req, search.labels, changed)

	a := attempt{req: req, controller: req.Old.controllerRef(), config: c, blocking: blocking(req.Selectors.Matching(stored))}
	if denial := a.refusal(); denial != nil {
		return denied(denial)
	}
	if errs := labelConflicts(req, changed, search.labels); len(errs) > 0 {
		return invalid(ReasonLabelConflict, errs...)
	}
	if errs := ownerConflicts(req); len(errs) > 0 {
		return invalid(ReasonOwnerConflict, errs...)
	}
	return c.detach(req, search.labels, changed, c.advisoriesOf(req, stored))
}

// keysToRewrite returns the keys with which the search starts: those that an object
// which selects the stored pod requires, and those of the configuration. A controller
// whose selector isolate does not know may require any label.
func (c *Config) keysToRewrite(req Request) []string {
	if owner := req.Old.controllerRef(); owner != nil && lookup(req.Selectors, owner) == nil {
		return slices.Sorted(maps.Keys(req.Old.Labels))
	}
	keys := append([]string{InstanceLabel}, c.ExtraKeys...)
	for _, s := range req.Selectors.Matching(req.Old.Labels) {
		keys = append(keys, s.requiredKeys()...)
	}
	return keys
}

// labelConflicts returns an error for each label that must be rewritten and that this
// write changes too.
func labelConflicts(req Request, changed, result map[string]string) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		was, had := req.Old.Labels[key]
		now, has := req.New.Labels[key]
		want, wanted := result[key]
		unchanged := had == has && was == now
		ours := had && has == wanted && now == want
		if !unchanged && !ours {
			errs = append(errs, field.Invalid(labelPath(key), truncate(now, maxQuotedValue), problemLabelConflict))
		}
	}
	return errs
}

func ownerConflicts(req Request) field.ErrorList {
	var errs field.ErrorList
	for i, ref := range req.New.OwnerReferences {
		if !hasOwner(req.Old.OwnerReferences, ref.UID) {
			errs = append(errs, field.Invalid(metadataPath.Child("ownerReferences").Index(i), ref.Kind+"/"+ref.Name, problemOwnerConflict))
		}
	}
	return errs
}

// storedLabels returns the labels that will be stored, without those that the write
// removes.
func storedLabels(req Request, result, changed map[string]string) map[string]string {
	stored := merged(req.New.Labels, nil)
	stored[QuarantinedLabel] = QuarantinedValue
	for key := range changed {
		delete(stored, key)
		if value, ok := result[key]; ok {
			stored[key] = value
		}
	}
	return stored
}

// detach returns the decision that quarantines the pod.
func (c *Config) detach(req Request, result, changed map[string]string, found advisories) Decision {
	changes := newEdit()
	rewritten := newValues(changed, result)
	maps.Copy(changes.labels, rewritten)
	changes.setLabel(QuarantinedLabel, QuarantinedValue)
	changes.dropOwners = true

	record := Record{
		Labels:          changed,
		OwnerReferences: req.Old.OwnerReferences,
		Annotations:     hints(req, changes),
		Forced:          forced(req),
		Extended:        extended(req),
		Rewritten:       rewritten,
		BudgetOwner:     recordedBudgetOwner(budgetOwner(req)),
		DetachedFrom:    detachedFrom(req, found.budgets),
	}
	expires := req.Time.Add(c.lifetime(req, record.Extended))
	changes.setAnnotation(QuarantinedAtKey, stamp(req.Time))
	changes.setAnnotation(ExpiresAtKey, stampUp(expires))
	changes.setAnnotation(QuarantinedByKey, req.User)
	changes.setAnnotation(RecordKey, record.String())
	changes.removeAnnotation(ForceKey)
	changes.removeAnnotation(ExtendKey)
	changes.removeAnnotation(RecheckKey)
	return Decision{
		Action:       ActionQuarantine,
		Warnings:     quarantineWarnings(req, record, expires, found),
		Patch:        changes.patch(req.New),
		DetachedFrom: record.DetachedFrom,
		CountsFor:    record.CountsFor(),
	}
}

// newValues returns the new values of the changed labels, nil for one that is removed.
func newValues(changed, result map[string]string) map[string]*string {
	values := map[string]*string{}
	for key := range changed {
		if value, ok := result[key]; ok {
			values[key] = &value
		} else {
			values[key] = nil
		}
	}
	return values
}

// hintValues are the annotations that a quarantine sets unless they are set already.
var hintValues = map[string]string{KarpenterHint: "true", AutoscalerHint: "false"}

// hints keeps autoscalers from evicting a pod that has no owner, and Argo CD from
// pruning it. It returns the original values of the annotations that it changes.
func hints(req Request, changes *edit) map[string]*string {
	originals := map[string]*string{}
	for key, value := range hintValues {
		_, had := req.Old.Annotations[key]
		now, has := req.New.Annotations[key]
		if had || (has && now != value) {
			continue
		}
		originals[key] = nil
		changes.setAnnotation(key, value)
	}
	if tracking, ok := req.Old.Annotations[ArgoTrackingKey]; ok {
		originals[ArgoTrackingKey] = &tracking
		changes.removeAnnotation(ArgoTrackingKey)
	}
	return originals
}

// forced reports whether the write has force, or had it in an earlier call of the same
// admission, whose record says so.
func forced(req Request) bool {
	return req.New.Annotations[ForceKey] == True || StatusOf(req.New.Labels, req.New.Annotations).Record.Forced
}

// extended returns the value of extend in the write, or in an earlier call of the same
// admission, whose record has it.
func extended(req Request) string {
	if value, ok := req.New.Annotations[ExtendKey]; ok {
		return value
	}
	return StatusOf(req.New.Labels, req.New.Annotations).Record.Extended
}

// detachedFrom names everything that selected or controlled the pod, its controller
// last, but not the PodDisruptionBudgets that still count it.
func detachedFrom(req Request, budgets []*SelectingObject) []string {
	selecting := slices.DeleteFunc(slices.Clone(req.Selectors.Matching(req.Old.Labels)), func(s *SelectingObject) bool {
		return slices.Contains(budgets, s)
	})
	list := names(selecting)
	if owner := req.Old.controllerRef(); owner != nil && !slices.Contains(list, owner.String()) {
		list = append(list, owner.String())
	}
	return list
}

// lifetime returns how long the pod is kept: its ttl, or longer if the same write
// extends it. A ttl that was invalid before this write is ignored.
func (c *Config) lifetime(req Request, extend string) time.Duration {
	kept := c.DefaultTTL
	if ttl, err := c.duration(req.New.Annotations[TTLKey]); err == nil {
		kept = ttl
	}
	if longer, err := c.duration(extend); err == nil {
		kept = max(kept, longer)
	}
	return kept
}
