package quarantine

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// relabeling are labels that detach the pod.
type relabeling struct {
	// stored are the labels that will be stored.
	stored map[string]string

	// changed are the stored values of the labels that isolate rewrites or removes, and
	// rewritten their new values, nil for one that is removed.
	changed   map[string]string
	rewritten map[string]*string

	// overridden are the labels whose change by this write is not stored.
	overridden []overriddenLabel
}

// overriddenLabel is a label whose change by this write isolate does not admit. The
// webhook can't know who changed it: it sees the pod after other mutators.
type overriddenLabel struct {
	key string

	// asked and stored are the values, nil for a label that is absent.
	asked, stored *string

	// by selects pods by this label, nil if isolate rewrites it whatever selects the pod.
	by *SelectingObject
}

// relabel searches for labels that no selector matches, beginning with a rewrite of
// these keys. It admits the write's own changes of labels, unless the search has to change
// one of these labels. Such a label keeps its stored value, which isolate then rewrites.
func (c *Config) relabel(req Request, keys []string) relabeling {
	base := c.requestedLabels(req)
	for {
		result := c.rewriteLabels(req, base, keys)
		var conflicts []string
		for key := range result.changed {
			if keyChanged(req.Old.Labels, base, key) {
				conflicts = append(conflicts, key)
			}
		}
		if len(conflicts) == 0 {
			dropRemoved(req, base, result)
			if len(blocking(req.Selectors.Matching(result.stored))) > 0 {
				result = c.rewriteLabels(req, storedLabels(req), keys)
			}
			result.overridden = c.overriddenBy(req, result)
			return result
		}
		for _, key := range conflicts {
			if value, ok := req.Old.Labels[key]; ok {
				base[key] = value
			} else {
				delete(base, key)
			}
		}
	}
}

// rewriteLabels searches from these labels.
func (c *Config) rewriteLabels(req Request, base map[string]string, keys []string) relabeling {
	search := rewriteSearch{config: c, selectors: req.Selectors, original: base}
	search.run(keys)
	changed := search.changed()
	return relabeling{stored: search.labels, changed: changed, rewritten: newValues(changed, search.labels)}
}

// dropRemoved removes the labels that this write removes and that the search did not
// need.
func dropRemoved(req Request, base map[string]string, result relabeling) {
	for key := range base {
		_, has := req.New.Labels[key]
		_, changed := result.changed[key]
		if !has && !changed {
			delete(result.stored, key)
		}
	}
}

// overriddenBy returns the labels that the write changes to another value than is stored.
func (c *Config) overriddenBy(req Request, result relabeling) []overriddenLabel {
	var overridden []overriddenLabel
	for _, key := range changedKeys(req.Old.Labels, req.New.Labels) {
		if key == QuarantinedLabel || !keyChanged(req.New.Labels, result.stored, key) {
			continue
		}
		asked, stored := valueOf(req.New.Labels, key), valueOf(result.stored, key)
		overridden = append(overridden, overriddenLabel{key, asked, stored, selectingBy(req, key)})
	}
	return overridden
}

// selectingBy returns an object that selects the pod by this label, as the pod is stored
// or as this write has it; or nil.
func selectingBy(req Request, key string) *SelectingObject {
	asked := merged(req.New.Labels, nil)
	if _, ok := req.Old.Labels[QuarantinedLabel]; ok {
		asked[QuarantinedLabel] = QuarantinedValue
	}
	for _, podLabels := range []map[string]string{asked, req.Old.Labels} {
		for _, s := range blocking(req.Selectors.Matching(podLabels)) {
			if slices.ContainsFunc(s.Requirements, func(r labels.Requirement) bool { return r.Key() == key }) {
				return s
			}
		}
	}
	return nil
}

// requestedLabels returns the stored labels overlaid with those that this write sets. A
// label that equals the result of a rewrite counts as its original: the webhook wrote it
// in an earlier call of the same admission. A label that the write removes is included.
func (c *Config) requestedLabels(req Request) map[string]string {
	requested := merged(req.New.Labels, nil)
	for key, was := range req.Old.Labels {
		if now, ok := requested[key]; !ok || (now != was && now == c.rewrittenValue(was)) {
			requested[key] = was
		}
	}
	delete(requested, QuarantinedLabel)
	return requested
}

// storedLabels returns the stored labels without isolate's.
func storedLabels(req Request) map[string]string {
	stored := merged(req.Old.Labels, nil)
	delete(stored, QuarantinedLabel)
	return stored
}

// newValues returns the new values of the changed labels, nil for one that is removed.
func newValues(changed, result map[string]string) map[string]*string {
	values := map[string]*string{}
	for key := range changed {
		values[key] = valueOf(result, key)
	}
	return values
}

func valueOf(m map[string]string, key string) *string {
	if value, ok := m[key]; ok {
		return &value
	}
	return nil
}

func equal(a, b *string) bool {
	return (a == nil && b == nil) || (a != nil && b != nil && *a == *b)
}
