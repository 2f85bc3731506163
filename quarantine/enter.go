package quarantine

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// quarantine takes the pod out of every selector and away from its owners, and
// stamps when it expires: labels, ownerReferences and record in one patch.
//
// Everything is computed from the stored pod and from what the request changes
// in it, never from what an earlier call of ours has written, so that deciding
// again changes nothing.
func (r *Config) quarantine(req Request) Decision {
	if denial := r.refusal(req); denial != nil {
		return denied(denial)
	}
	original := r.requestedLabels(req)
	out := newEscape(r, req.Selectors, original)
	out.run(r.keysToRewrite(req))
	changed := out.changed()
	if errs := r.conflicts(req, changed, out.labels); len(errs) > 0 {
		return invalid(ReasonLabelConflict, errs...)
	}
	if errs := addedOwners(req); len(errs) > 0 {
		return invalid(ReasonOwnerConflict, errs...)
	}
	stored := storedLabels(req, out.labels, changed)
	binding, budgets := stillMatching(req, stored)
	if len(binding) > 0 {
		return forbidden(ReasonInescapable, metadataPath.Child("labels"), messageInescapable(req.Old, binding[0]))
	}
	return r.takeOut(req, out.labels, changed, outcomes{budgets, lostPolicies(req, stored)})
}

// keysToRewrite are those with which the search starts: what selects the stored
// pod requires them, or a flag names them. Where the controller's selector isn't
// known, it may require any label.
func (r *Config) keysToRewrite(req Request) []string {
	if owner := req.Old.controller(); owner != nil {
		if known := req.Selectors.Lookup(owner.Kind, owner.Name); known == nil || known.UID != owner.UID {
			return slices.Sorted(maps.Keys(req.Old.Labels))
		}
	}
	keys := append([]string{InstanceLabel}, r.ExtraKeys...)
	for _, s := range req.Selectors.Matching(req.Old.Labels) {
		keys = append(keys, s.requiredKeys()...)
	}
	return keys
}

// conflicts are the labels to rewrite that this request changes itself.
func (r *Config) conflicts(req Request, changed, result map[string]string) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		was, had := req.Old.Labels[key]
		now, has := req.New.Labels[key]
		want, wanted := result[key]
		unchanged := had == has && was == now
		ours := had && has == wanted && now == want
		if !unchanged && !ours {
			errs = append(errs, field.Invalid(labelPath(key), clip(now), problemLabelConflict))
		}
	}
	return errs
}

func addedOwners(req Request) field.ErrorList {
	var errs field.ErrorList
	for i, ref := range req.New.OwnerReferences {
		if !slices.ContainsFunc(req.Old.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == ref.UID }) {
			errs = append(errs, field.Invalid(metadataPath.Child("ownerReferences").Index(i), ref.Kind+"/"+ref.Name, problemOwnerConflict))
		}
	}
	return errs
}

// outcomes are what is told of a quarantine besides.
type outcomes struct {
	// budgets are the PodDisruptionBudgets that go on counting the pod.
	budgets []*SelectingObject
	policies
}

// storedLabels are what will be stored: without the labels that the request removes.
func storedLabels(req Request, result, changed map[string]string) map[string]string {
	stored := maps.Clone(req.New.Labels)
	if stored == nil {
		stored = map[string]string{}
	}
	stored[QuarantinedLabel] = QuarantinedValue
	for key := range changed {
		delete(stored, key)
		if value, ok := result[key]; ok {
			stored[key] = value
		}
	}
	return stored
}

// stillMatching is the proof. A PodDisruptionBudget is no binding one: the pod goes
// on counting as healthy there, which is told and does no harm.
func stillMatching(req Request, stored map[string]string) (binding, budgets []*SelectingObject) {
	for _, s := range req.Selectors.Matching(stored) {
		if s.Kind == KindPodDisruptionBudget {
			budgets = append(budgets, s)
		} else {
			binding = append(binding, s)
		}
	}
	return binding, budgets
}

// takeOut writes the decision down.
func (r *Config) takeOut(req Request, result, changed map[string]string, told outcomes) Decision {
	changes := newEdit()
	rewritten := results(changed, result)
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
		BudgetOwner:     recordedBudgetOwner(topController(req)),
		DetachedFrom:    letGo(req, told.budgets),
	}
	expires := req.Time.Add(r.lifetime(req, record.Extended))
	changes.setAnnotation(QuarantinedAtKey, stamp(req.Time))
	changes.setAnnotation(ExpiresAtKey, stampUp(expires))
	changes.setAnnotation(QuarantinedByKey, req.User)
	changes.setAnnotation(RecordKey, record.String())
	changes.removeAnnotation(ForceKey)
	changes.removeAnnotation(ExtendKey)
	changes.removeAnnotation(RecheckKey)
	return Decision{
		Action:       ActionQuarantine,
		Warnings:     r.quarantineWarnings(req, record, expires, told),
		Patch:        changes.patch(req.New),
		DetachedFrom: record.DetachedFrom,
		CountsFor:    record.CountsFor(),
	}
}

// results are what the changed labels became, nil for one that was removed.
func results(changed, result map[string]string) map[string]*string {
	became := map[string]*string{}
	for key := range changed {
		if value, ok := result[key]; ok {
			became[key] = &value
		} else {
			became[key] = nil
		}
	}
	return became
}

// hintValues are what a quarantine sets, unless somebody has.
var hintValues = map[string]string{KarpenterHint: "true", AutoscalerHint: "false"}

// hints keeps autoscalers from evicting a pod that has no owner any more, and
// Argo CD from pruning it. It returns the original values of what it changes.
// What somebody has set stays.
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

// forced and extended read the request, or the record that an earlier call of
// ours has put in its place in the same admission.
func forced(req Request) bool {
	return req.New.Annotations[ForceKey] == True || StatusOf(req.New.Labels, req.New.Annotations).Record.Forced
}

func extended(req Request) string {
	if value, ok := req.New.Annotations[ExtendKey]; ok {
		return value
	}
	return StatusOf(req.New.Labels, req.New.Annotations).Record.Extended
}

// letGo names what has the pod until now, its controller last, without the
// budgets that go on counting it.
func letGo(req Request, budgets []*SelectingObject) []string {
	var names []string
	for _, s := range req.Selectors.Matching(req.Old.Labels) {
		if !slices.Contains(budgets, s) {
			names = append(names, s.String())
		}
	}
	if owner := req.Old.controller(); owner != nil && !slices.Contains(names, owner.String()) {
		names = append(names, owner.String())
	}
	return names
}

// lifetime is how long the pod is kept: its ttl, or longer where it is extended in
// the same request. A ttl that was bad before this request counts as none.
func (r *Config) lifetime(req Request, extend string) time.Duration {
	kept := r.DefaultTTL
	if ttl, err := r.duration(req.New.Annotations[TTLKey]); err == nil {
		kept = ttl
	}
	if more, err := r.duration(extend); err == nil {
		kept = max(kept, more)
	}
	return kept
}
