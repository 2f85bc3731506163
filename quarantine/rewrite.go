package quarantine

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/selection"
)

// maxSteps bounds the time of the search, even for selectors that are designed to match
// always. Real selectors take at most one step.
const maxSteps = 64

// rewriteSearch searches for labels that no selector matches.
//
// It rewrites every key that a matching selector requires, and matches again, because
// notin and doesNotExist may begin to match. Repeated, that nearly always leads to labels
// that nothing matches. If a selector still matches, the search takes a step: it removes a
// key whose existence the selector requires, or restores and pins a key whose change made
// the selector match. Steps are tried depth first.
type rewriteSearch struct {
	config    *Config
	selectors Selectors
	original  map[string]string
	labels    map[string]string
	pinned    []string // keys that must not be rewritten, besides isolate's label
	steps     int
}

// run rewrites these keys, and others until no selector matches. If there are no such
// labels, a selector still matches the result.
func (s *rewriteSearch) run(keys []string) {
	if s.begin(keys); s.search(func(*SelectingObject) bool { return true }) {
		return
	}
	// A PodDisruptionBudget that matches any labels must not keep the search from finding
	// labels that no other selector matches.
	s.begin(keys)
	s.search((*SelectingObject).BlocksQuarantine)
}

// begin rewrites these keys of the original labels.
func (s *rewriteSearch) begin(keys []string) {
	s.labels, s.pinned, s.steps = merged(s.original, nil), nil, 0
	s.labels[QuarantinedLabel] = QuarantinedValue
	for _, key := range keys {
		s.rewrite(key)
	}
}

// changed returns the original values of the labels that are rewritten or removed.
func (s *rewriteSearch) changed() map[string]string {
	changed := map[string]string{}
	for key, value := range s.original {
		if now, ok := s.labels[key]; key != QuarantinedLabel && (!ok || now != value) {
			changed[key] = value
		}
	}
	return changed
}

// search reports whether it found labels that no selector in scope matches.
func (s *rewriteSearch) search(inScope func(*SelectingObject) bool) bool {
	matching := s.fixpoint()
	i := slices.IndexFunc(matching, inScope)
	if i < 0 {
		return true
	}
	start := s.save()
	for _, requirement := range matching[i].Requirements {
		if s.steps++; s.steps > maxSteps {
			return false
		}
		if s.step(requirement.Key(), requirement.Operator()) {
			if s.search(inScope) {
				return true
			}
			s.restore(start)
		}
	}
	return false
}

// fixpoint rewrites the keys that matching selectors require until there is none left
// to rewrite, and returns the objects that still match.
func (s *rewriteSearch) fixpoint() []*SelectingObject {
	for {
		matching := filter(s.selectors.Matching(s.labels), func(o *SelectingObject) bool { return !o.SelectsQuarantined() })
		progress := false
		for _, object := range matching {
			for key := range object.requiredKeys() {
				progress = s.rewrite(key) || progress
			}
		}
		if !progress {
			return matching
		}
	}
}

func (s *rewriteSearch) rewrite(key string) bool {
	value, ok := s.labels[key]
	if !ok || s.isPinned(key) || value != s.original[key] {
		return false
	}
	s.labels[key] = s.config.rewrittenValue(value)
	return true
}

// step makes one requirement of a matching selector false, if it can.
func (s *rewriteSearch) step(key string, operator selection.Operator) bool {
	if s.isPinned(key) {
		return false
	}
	switch operator {
	case selection.NotIn, selection.NotEquals, selection.DoesNotExist:
		value, had := s.original[key]
		if now, has := s.labels[key]; !had || (has && now == value) {
			return false
		}
		s.labels[key] = value
		s.pinned = append(s.pinned, key)
	default:
		delete(s.labels, key)
	}
	return true
}

func (s *rewriteSearch) isPinned(key string) bool {
	return key == QuarantinedLabel || slices.Contains(s.pinned, key)
}

type searchState struct {
	labels map[string]string
	pinned []string
}

func (s *rewriteSearch) save() searchState {
	return searchState{labels: maps.Clone(s.labels), pinned: slices.Clone(s.pinned)}
}

func (s *rewriteSearch) restore(state searchState) {
	s.labels, s.pinned = maps.Clone(state.labels), slices.Clone(state.pinned)
}
