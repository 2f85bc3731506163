package quarantine

import (
	"slices"
)

// Decide returns the answer to a request. The rows T1, T2, ... of the transition table in
// docs/design.md are tried from the top. Only transitions act: later writes to a pod
// whose trigger is already stored do not quarantine it.
func (c *Config) Decide(req Request) Decision {
	local, _ := c.ForNamespace(req.NamespaceConfig)
	return local.decide(req)
}

func (c *Config) decide(req Request) Decision {
	if req.Old == nil { // T1, T2
		return decideCreate(req)
	}
	if req.Old.DeletionTimestamp != nil { // T3
		return decideTerminating(req)
	}
	status := StatusOf(req.Old.Labels, req.Old.Annotations)
	if errs := c.invalidRequests(req); len(errs) > 0 { // T4
		return invalid(ReasonInvalidValue, errs...)
	}
	if errs := misplacedKeys(req); len(errs) > 0 { // T5
		return invalid(ReasonMisplacedKey, errs...)
	}
	switch {
	case status.State != Free && req.New.Annotations[TriggerKey] != True: // T6
		return release(req, status)
	case status.State == Damaged && changesRecord(req): // T7
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordDamaged(req.Old))
	case status.State == Damaged: // T8
		return dropAnnotations(req, ForceKey)
	case status.State == Quarantined: // T9, T10
		return c.updateQuarantined(req, status)
	case triggered(req): // T11
		return c.quarantine(req)
	case changesRecord(req): // T12
		return forbidden(ReasonRecordProtected, metadataPath, messageRecordProtected(req.Old))
	default: // T13, T14
		decision := dropAnnotations(req, ForceKey, ExtendKey, RecheckKey)
		decision.Warnings = append(warnFree(req), decision.Warnings...)
		return decision
	}
}

// triggered reports whether this write sets the trigger to "true".
func triggered(req Request) bool {
	return req.Old.Annotations[TriggerKey] != True && req.New.Annotations[TriggerKey] == True
}

// changesRecord reports whether the write changes any key of the record.
func changesRecord(req Request) bool {
	if keyChanged(req.Old.Labels, req.New.Labels, QuarantinedLabel) {
		return true
	}
	return slices.ContainsFunc(recordAnnotations, func(key string) bool {
		return keyChanged(req.Old.Annotations, req.New.Annotations, key)
	})
}

// changedKeys returns the keys that differ, in alphabetical order.
func changedKeys(before, after map[string]string) []string {
	var keys []string
	for key := range before {
		if keyChanged(before, after, key) {
			keys = append(keys, key)
		}
	}
	for key := range after {
		if _, had := before[key]; !had {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func keyChanged(before, after map[string]string, key string) bool {
	was, had := before[key]
	is, has := after[key]
	return had != has || was != is
}

// decideCreate prevents that a pod is created quarantined. It refuses the label instead of
// removing it, because a ReplicaSet that selects by the label would create pods endlessly.
func decideCreate(req Request) Decision {
	if value, ok := req.New.Labels[QuarantinedLabel]; ok { // T1
		return invalid(ReasonCreatedQuarantined, createdQuarantined(value))
	}
	decision := dropAnnotations(req, slices.Concat(requestAnnotations, recordAnnotations)...) // T2
	if decision.Action == ActionDropAnnotations {
		decision.Warnings = []string{warnCreated}
	}
	return decision
}

// dropAnnotations removes those of the annotations that the pod has.
func dropAnnotations(req Request, keys ...string) Decision {
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
