package quarantine

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/selection"
)

// maxMoves bounds the search of an escape, so that selectors made to be
// inescapable cost a known time. Real ones take none or one.
const maxMoves = 64

// escape is the search for labels that no selector matches.
//
// Every key that a matching selector requires gets a new value, and everything
// is matched again, because notin and doesNotExist can begin to match. That
// settles nearly all. What still matches then is escaped by a move: a key whose
// mere existence is selected goes, or a key whose change has made a selector
// match gets its original value back. Moves are tried depth first.
type escape struct {
	rules     *Config
	selectors Selectors
	original  map[string]string
	labels    map[string]string
	kept      map[string]bool // keys that must not be rewritten
	moves     int
}

func newEscape(rules *Config, selectors Selectors, original map[string]string) *escape {
	current := maps.Clone(original)
	if current == nil {
		current = map[string]string{}
	}
	current[QuarantinedLabel] = QuarantinedValue
	return &escape{
		rules:     rules,
		selectors: selectors,
		original:  original,
		labels:    current,
		kept:      map[string]bool{QuarantinedLabel: true},
	}
}

// run rewrites these keys and then whatever it takes. Where there is no way
// out, the labels it leaves are still matched.
func (e *escape) run(keys []string) {
	for _, key := range keys {
		e.rewrite(key)
	}
	start := e.save()
	if e.search(func(*SelectingObject) bool { return true }) {
		return
	}
	// A PodDisruptionBudget that goes on matching does no harm, so it may stand
	// in the way of itself alone.
	e.restore(start)
	e.moves = 0
	e.search(func(s *SelectingObject) bool { return s.Kind != KindPodDisruptionBudget })
}

// changed are the original values of the labels that are rewritten or removed.
func (e *escape) changed() map[string]string {
	changed := map[string]string{}
	for key, value := range e.original {
		if now, ok := e.labels[key]; key != QuarantinedLabel && (!ok || now != value) {
			changed[key] = value
		}
	}
	return changed
}

// search reports whether it found labels that no binding selector matches.
func (e *escape) search(binding func(*SelectingObject) bool) bool {
	matching := e.settle()
	i := slices.IndexFunc(matching, binding)
	if i < 0 {
		return true
	}
	start := e.save()
	for _, requirement := range matching[i].Requirements {
		if e.moves++; e.moves > maxMoves {
			return false
		}
		if e.move(requirement.Key(), requirement.Operator()) {
			if e.search(binding) {
				return true
			}
			e.restore(start)
		}
	}
	return false
}

// settle rewrites all keys that matching selectors require, until none is left
// to rewrite, and returns what matches then.
func (e *escape) settle() []*SelectingObject {
	for {
		matching := e.selectors.Matching(e.labels)
		progress := false
		for _, s := range matching {
			for _, key := range s.requiredKeys() {
				progress = e.rewrite(key) || progress
			}
		}
		if !progress {
			return matching
		}
	}
}

func (e *escape) rewrite(key string) bool {
	value, ok := e.labels[key]
	if !ok || e.kept[key] || value != e.original[key] {
		return false
	}
	e.labels[key] = e.rules.rewritten(value)
	return true
}

// move makes one requirement of a matching selector false, if it can.
func (e *escape) move(key string, operator selection.Operator) bool {
	if e.kept[key] {
		return false
	}
	switch operator {
	case selection.NotIn, selection.NotEquals, selection.DoesNotExist:
		value, had := e.original[key]
		if now, has := e.labels[key]; !had || (has && now == value) {
			return false
		}
		e.labels[key] = value
		e.kept[key] = true
	default:
		delete(e.labels, key)
	}
	return true
}

type escapeState struct {
	labels map[string]string
	kept   map[string]bool
}

func (e *escape) save() escapeState {
	return escapeState{labels: maps.Clone(e.labels), kept: maps.Clone(e.kept)}
}

func (e *escape) restore(s escapeState) {
	e.labels, e.kept = maps.Clone(s.labels), maps.Clone(s.kept)
}
