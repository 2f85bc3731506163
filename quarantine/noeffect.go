package quarantine

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// personAnnotations are the requests that people write.
var personAnnotations = []string{TriggerKey, TTLKey, ExtendKey, HoldKey, ReasonKey, ForceKey}

// misplacedKeys returns an error for each key that this write sets in the wrong map, where
// it has no effect: a request as a label, or the label as an annotation.
func misplacedKeys(req Request) field.ErrorList {
	var errs field.ErrorList
	for _, key := range personAnnotations {
		if value, ok := req.New.Labels[key]; ok && keyChanged(req.Old.Labels, req.New.Labels, key) {
			errs = append(errs, field.Invalid(labelPath(key), truncate(value, maxQuotedValue), problemIsAnnotation(req.Old, key, value)))
		}
	}
	if value, ok := req.New.Annotations[QuarantinedLabel]; ok && keyChanged(req.Old.Annotations, req.New.Annotations, QuarantinedLabel) {
		errs = append(errs, field.Invalid(annotationPath(QuarantinedLabel), truncate(value, maxQuotedValue), problemIsLabel(req.Old)))
	}
	return errs
}

// decideTerminating (T3) changes nothing, and warns that a request no longer has an effect.
func decideTerminating(req Request) Decision {
	if triggered(req) {
		return Decision{Action: ActionNone, Warnings: []string{warnTerminating}}
	}
	var keys []string
	for _, key := range []string{TriggerKey, HoldKey, ExtendKey} {
		if value, ok := req.New.Annotations[key]; ok && keyChanged(req.Old.Annotations, req.New.Annotations, key) && (value != False || key == TriggerKey) {
			keys = append(keys, strings.TrimPrefix(key, Domain))
		}
	}
	if len(keys) == 0 {
		return Decision{Action: ActionNone}
	}
	return Decision{Action: ActionNone, Warnings: []string{warnNoEffect(req.Old, req.Time, keys)}}
}

// warnFree says which requests of this write have no effect on a pod that is not
// quarantined.
func warnFree(req Request) []string {
	var list []string
	add := func(key, warning string, values ...string) {
		value, ok := req.New.Annotations[key]
		if ok && keyChanged(req.Old.Annotations, req.New.Annotations, key) && (len(values) == 0 || slices.Contains(values, value)) {
			list = append(list, warning)
		}
	}
	add(TriggerKey, warnReleaseFree, False)
	add(HoldKey, warnHoldFree, True)
	add(TTLKey, warnTTLFree)
	return list
}
