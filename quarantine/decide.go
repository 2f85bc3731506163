package quarantine

import (
	"maps"
	"slices"
)

// Decide is the whole of isolate in one place: which answer a request gets.
// The cases are tried from the top. Only transitions act: a trigger that has
// been there all along does nothing, whoever writes the pod next.
func (r *Config) Decide(req Request) Decision {
	local, _ := r.ForNamespace(req.NamespaceConfig)
	return local.decide(req)
}

func (r *Config) decide(req Request) Decision {
	if req.Old == nil {
		return decideCreate(req)
	}
	if req.Old.DeletionTimestamp != nil {
		return decideDeleting(req)
	}
	status := StatusOf(req.Old.Labels, req.Old.Annotations)
	if errs := r.invalidRequests(req, status); len(errs) > 0 {
		return invalid(ReasonInvalidValue, errs...)
	}
	switch {
	case status.State != Free && req.New.Annotations[TriggerKey] != True:
		return release(req, status)
	case status.State == Damaged && changesRecord(req):
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordDamaged(req.Old))
	case status.State == Damaged:
		return strip(req, ForceKey)
	case status.State == Quarantined:
		return r.keep(req, status)
	case triggered(req):
		return r.quarantine(req)
	case changesRecord(req):
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordProtected(req.New.Name))
	default:
		return strip(req, ForceKey, ExtendKey, RecheckKey)
	}
}

// triggered reports whether the trigger turns "true" in this very request.
func triggered(req Request) bool {
	return req.Old.Annotations[TriggerKey] != True && req.New.Annotations[TriggerKey] == True
}

// changesRecord reports whether the request writes any of the record's keys.
func changesRecord(req Request) bool {
	if changedKey(req.Old.Labels, req.New.Labels, QuarantinedLabel) {
		return true
	}
	return slices.ContainsFunc(recordAnnotations, func(key string) bool {
		return changedKey(req.Old.Annotations, req.New.Annotations, key)
	})
}

func changedKey(before, after map[string]string, key string) bool {
	was, had := before[key]
	is, has := after[key]
	return had != has || was != is
}

// decideCreate lets no pod be born quarantined. The label is refused rather than
// removed: a ReplicaSet that selects on it would go on creating pods without end.
func decideCreate(req Request) Decision {
	if value, ok := req.New.Labels[QuarantinedLabel]; ok {
		return invalid(ReasonCreatedQuarantined, forbiddenLabel(value))
	}
	decision := strip(req, slices.Concat(requestAnnotations, recordAnnotations)...)
	if decision.Action == ActionDropAnnotations {
		decision.Warnings = []string{warnCreated}
	}
	return decision
}

func decideDeleting(req Request) Decision {
	if !triggered(req) {
		return Decision{Action: ActionNone}
	}
	return Decision{Action: ActionNone, Warnings: []string{warnDeleting}}
}

// strip removes those of the annotations that are there.
func strip(req Request, keys ...string) Decision {
	changes := newEdit()
	var warnings []string
	for _, key := range keys {
		if _, ok := req.New.Annotations[key]; !ok {
			continue
		}
		changes.removeAnnotation(key)
		if key == ExtendKey {
			warnings = append(warnings, warnExtendFree)
		}
	}
	if len(changes.annotations) == 0 {
		return Decision{Action: ActionNone}
	}
	return Decision{Action: ActionDropAnnotations, Warnings: warnings, Patch: changes.patch(req.New)}
}

// requestedLabels are the labels the pod had or was given: the stored ones, over
// them what this request sets. What equals the result of a rewrite counts as
// the original, because it is ours: the webhook may be called a second time,
// with its own answer. A label the request removes is still among them.
func (r *Config) requestedLabels(req Request) map[string]string {
	labels := maps.Clone(req.New.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, QuarantinedLabel)
	for key, was := range req.Old.Labels {
		if now, ok := labels[key]; !ok || now == r.rewritten(was) {
			labels[key] = was
		}
	}
	return labels
}
