package quarantine

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reinvocationWindow is the longest time between two calls of one admission. The API
// server limits a request to a minute.
const reinvocationWindow = time.Minute

// quarantine (T11) detaches the pod from every selector and owner, and stamps when it
// expires: labels, ownerReferences and record change in one patch.
//
// Everything follows from the stored pod and from what this write changes. The output of
// an earlier call of the same admission counts only in place of what that call removed,
// so that a second decision changes nothing.
func (c *Config) quarantine(req Request) Decision {
	earlier := earlierCall(req)
	owner, selecting := req.Old.controllerRef(), req.Selectors.Matching(req.Old.Labels)
	labels := c.relabel(req, c.keysToRewrite(req, owner, selecting))
	remaining := req.Selectors.Matching(labels.stored)
	found := c.advisoriesOf(req, owner, selecting, labels.stored, remaining)
	changes := newEdit()
	changes.replaceLabels(req.New.Labels, labels.stored)
	changes.dropOwners = true

	record := Record{
		Labels:          labels.changed,
		OwnerReferences: droppedOwners(req, earlier),
		Annotations:     hints(req, changes),
		Forced:          req.New.Annotations[ForceKey] == True || earlier.Record.Forced,
		Extended:        extended(req, earlier),
		Rewritten:       labels.rewritten,
		BudgetOwner:     recordedBudgetOwner(budgetOwner(req, owner)),
	}
	record.addDetachedFrom(detachedFrom(owner, selecting, found.budgets)...)
	lifetime := c.lifetime(req, record.Extended)
	stamps := stampsFor(req, earlier, lifetime)
	changes.setAnnotation(QuarantinedAtKey, stamps.quarantinedAt)
	changes.setAnnotation(ExpiresAtKey, stamps.expiresAt)
	changes.setAnnotation(QuarantinedByKey, req.User)
	changes.setAnnotation(RecordKey, record.String())
	changes.removeAnnotation(ForceKey)
	changes.removeAnnotation(ExtendKey)
	changes.removeAnnotation(RecheckKey)

	a := attempt{
		req: req, controller: owner, config: c, forced: record.Forced,
		blocking:    blocking(remaining),
		annotations: changes.annotations.appliedTo(req.New.Annotations),
	}
	if denial := a.refusal(); denial != nil {
		return denied(denial)
	}
	return Decision{
		Action:       ActionQuarantine,
		Warnings:     c.quarantineWarnings(req, owner, record, scheduled(req, stamps.expiresAt, lifetime), labels.overridden, found),
		Patch:        changes.patch(req.New),
		DetachedFrom: record.DetachedFrom,
		CountsFor:    record.CountsFor(),
	}
}

// earlierCall returns the status that an earlier call of the same admission wrote, or a free
// status. A requester may write the same, but gains nothing by that.
func earlierCall(req Request) Status {
	status := StatusOf(req.New.Labels, req.New.Annotations)
	if status.State != Quarantined || status.By != req.User || req.Time.Sub(status.QuarantinedAt).Abs() > reinvocationWindow {
		return Status{}
	}
	return status
}

// keysToRewrite returns the keys with which the search starts: those that the objects
// selecting the stored pod require, and those of the configuration. A controller whose
// selector isolate does not know may require any label.
func (c *Config) keysToRewrite(req Request, owner *Owner, selecting []*SelectingObject) []string {
	if owner != nil {
		if known := lookup(req.Selectors, owner); known == nil || known.ManagedBy != "" {
			return slices.Sorted(maps.Keys(req.Old.Labels))
		}
	}
	keys := append([]string{InstanceLabel}, c.ExtraKeys...)
	return append(keys, requiredBy(selecting)...)
}

// droppedOwners returns the stored owners, and those that this write adds.
func droppedOwners(req Request, earlier Status) []metav1.OwnerReference {
	return mergeOwners(req.Old.OwnerReferences, slices.Concat(earlier.Record.OwnerReferences, req.New.OwnerReferences))
}

// stamps are the times of a record.
type stamps struct{ quarantinedAt, expiresAt string }

// stampsFor returns the stamps of an earlier call of the same admission, so that both
// answers agree, or else new ones.
func stampsFor(req Request, earlier Status, lifetime time.Duration) stamps {
	if earlier.State == Quarantined {
		// Both are whole seconds: one is rounded down, the other up.
		if kept := earlier.ExpiresAt.Sub(earlier.QuarantinedAt); kept >= lifetime && kept < lifetime+2*time.Second {
			return stamps{stamp(earlier.QuarantinedAt), stamp(earlier.ExpiresAt)}
		}
	}
	return stamps{stamp(req.Time), stampUp(req.Time.Add(lifetime))}
}

// hintValues are the annotations that a quarantine sets.
var hintValues = map[string]string{KarpenterHint: "true", AutoscalerHint: "false"}

// hints sets annotations that keep autoscalers from evicting a pod without an owner, even if
// its template asks them to, and Argo CD from pruning it. It returns the stored values of
// the changed annotations.
func hints(req Request, changes *edit) map[string]*string {
	originals := map[string]*string{}
	for key, value := range hintValues {
		changes.setAnnotation(key, value)
		if was, had := req.Old.Annotations[key]; !had {
			originals[key] = nil
		} else if was != value {
			originals[key] = &was
		}
	}
	if tracking, ok := req.Old.Annotations[ArgoTrackingKey]; ok {
		originals[ArgoTrackingKey] = &tracking
		changes.removeAnnotation(ArgoTrackingKey)
	}
	return originals
}

// extended returns the value of extend in the write, or in an earlier call of the same
// admission.
func extended(req Request, earlier Status) string {
	if value, ok := req.New.Annotations[ExtendKey]; ok {
		return value
	}
	return earlier.Record.Extended
}

// detachedFrom names everything that selected or controlled the pod, its controller
// last, but not the PodDisruptionBudgets that still count it.
func detachedFrom(owner *Owner, selecting, budgets []*SelectingObject) []string {
	var list []string
	for _, s := range selecting {
		if !slices.Contains(budgets, s) && (owner == nil || s.Kind.Kind != owner.Kind.Kind || s.Name != owner.Name) {
			list = append(list, s.String())
		}
	}
	if owner != nil { // Among those that a record has room for.
		list = slices.Insert(list, min(len(list), maxDetachedFrom-1), owner.String())
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
