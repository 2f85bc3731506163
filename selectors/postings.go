package selectors

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"

	"isolate.example.io/quarantine"
)

// postings stores each selector under one label that a pod must have to match it: the
// label with the fewest other selectors. Selectors that require no specific label value
// are in a list that every lookup scans.
type postings struct {
	byPair    map[pair][]*quarantine.SelectingObject
	unindexed []*quarantine.SelectingObject
}

// pair is a label with its value.
type pair struct{ key, value string }

func newPostings() postings { return postings{byPair: map[pair][]*quarantine.SelectingObject{}} }

func (f *postings) add(s *quarantine.SelectingObject) {
	var chosen pair
	fewest := -1
	for _, requirement := range s.Requirements {
		candidate, ok := pairOf(requirement)
		if !ok {
			continue
		}
		if n := len(f.byPair[candidate]); fewest < 0 || n < fewest {
			chosen, fewest = candidate, n
		}
	}
	if fewest < 0 {
		f.unindexed = append(f.unindexed, s)
	} else {
		f.byPair[chosen] = append(f.byPair[chosen], s)
	}
}

// remove looks for the selector under each of its labels: to note the label of every selector
// would take a tenth of the index.
func (f *postings) remove(s *quarantine.SelectingObject) {
	for _, requirement := range s.Requirements {
		p, ok := pairOf(requirement)
		if !ok || !slices.Contains(f.byPair[p], s) {
			continue
		}
		if left := without(f.byPair[p], s); len(left) > 0 {
			f.byPair[p] = left
		} else {
			delete(f.byPair, p)
		}
		return
	}
	f.unindexed = without(f.unindexed, s)
}

// without removes one selector and does not keep the order. The caller holds the lock.
func without(list []*quarantine.SelectingObject, s *quarantine.SelectingObject) []*quarantine.SelectingObject {
	i := slices.Index(list, s)
	last := len(list) - 1
	list[i] = list[last]
	list[last] = nil
	return list[:last]
}

// pairOf returns the label that a requirement needs, if it accepts exactly one value.
func pairOf(r labels.Requirement) (pair, bool) {
	switch r.Operator() {
	case selection.Equals, selection.DoubleEquals, selection.In:
		if values := r.ValuesUnsorted(); len(values) == 1 {
			return pair{r.Key(), values[0]}, true
		}
	default: // Any other operator matches more than one value, or none.
	}
	return pair{}, false
}

func (f *postings) matching(podLabels map[string]string) []*quarantine.SelectingObject {
	var matching []*quarantine.SelectingObject
	add := func(candidates []*quarantine.SelectingObject) {
		for _, s := range candidates {
			if matches(s.Requirements, podLabels) {
				matching = append(matching, s)
			}
		}
	}
	for key, value := range podLabels {
		add(f.byPair[pair{key, value}])
	}
	add(f.unindexed)
	slices.SortFunc(matching, func(a, b *quarantine.SelectingObject) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	return matching
}

func matches(requirements labels.Requirements, podLabels map[string]string) bool {
	for i := range requirements {
		if !requirements[i].Matches(labels.Set(podLabels)) {
			return false
		}
	}
	return true
}

// rank sorts the kinds first that send traffic; a custom resource may do so.
func rank(kind schema.GroupKind) int {
	const custom = 1
	i := slices.Index([]schema.GroupKind{
		quarantine.KindService, {}, quarantine.KindReplicaSet, quarantine.KindStatefulSet, quarantine.KindDaemonSet,
		quarantine.KindJob, quarantine.KindReplicationController, quarantine.KindPodDisruptionBudget,
	}, kind)
	if i < 0 {
		return custom
	}
	return i
}
