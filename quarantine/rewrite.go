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
	pinned    map[string]bool // keys that must not be rewritten
	steps     int
}

func newRewriteSearch(config *Config, selectors Selectors, original map[string]string) *rewriteSearch {
	current := maps.Clone(original)
	if current == nil {
		current = map[string]string{}
	}
	current[QuarantinedLabel] = QuarantinedValue
	return &rewriteSearch{
		config:    config,
		selectors: selectors,
		original:  original,
		labels:    current,
		pinned:    map[string]bool{QuarantinedLabel: true},
	}
}

// run rewrites these keys, and others until no selector matches. If there are no such
// labels, a selector still matches the result.
func (s *rewriteSearch) run(keys []string) {
	for _, key := range keys {
		s.rewrite(key)
	}
	start := s.save()
	if s.search(func(*SelectingObject) bool { return true }) {
		return
	}
	// A PodDisruptionBudget that matches any labels must not keep the search from finding
	// labels that no other selector matches.
	s.restore(start)
	s.steps = 0
	s.search((*SelectingObject).BlocksQuarantine)
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
		matching := slices.DeleteFunc(slices.Clone(s.selectors.Matching(s.labels)), (*SelectingObject).SelectsQuarantined)
		progress := false
		for _, object := range matching {
			for _, key := range object.requiredKeys() {
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
	if !ok || s.pinned[key] || value != s.original[key] {
		return false
	}
	s.labels[key] = s.config.rewrittenValue(value)
	return true
}

// step makes one requirement of a matching selector false, if it can.
func (s *rewriteSearch) step(key string, operator selection.Operator) bool {
	if s.pinned[key] {
		return false
	}
	switch operator {
	case selection.NotIn, selection.NotEquals, selection.DoesNotExist:
		value, had := s.original[key]
		if now, has := s.labels[key]; !had || (has && now == value) {
			return false
		}
		s.labels[key] = value
		s.pinned[key] = true
	default:
		delete(s.labels, key)
	}
	return true
}

type searchState struct {
	labels map[string]string
	pinned map[string]bool
}

func (s *rewriteSearch) save() searchState {
	return searchState{labels: maps.Clone(s.labels), pinned: maps.Clone(s.pinned)}
}

func (s *rewriteSearch) restore(state searchState) {
	s.labels, s.pinned = maps.Clone(state.labels), maps.Clone(state.pinned)
}
