package selectors

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"

	"isolate.example.io/quarantine"
)

// Index finds the selectors that match a pod. Each is filed under one label that
// a pod must have to match, the one with the fewest others; those that require
// no label with a known value stand in a list that is always looked through.
type Index struct {
	mu         sync.RWMutex
	namespaces map[string]*namespace
}

type namespace struct {
	entries map[objectKey]entry
	byPair  map[pair][]*quarantine.Selector
	rest    []*quarantine.Selector

	// unreadable are objects whose selector could not be understood. As long as
	// there is one, nobody can say what selects a pod.
	unreadable map[objectKey]error
}

type objectKey struct {
	kind schema.GroupKind
	name string
}

// pair is a label with its value.
type pair struct{ key, value string }

type entry struct {
	selector *quarantine.Selector
	pair     pair
	filed    bool // under its pair, not in the rest
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	return &Index{namespaces: map[string]*namespace{}}
}

// Set puts an object in, in place of what was there of its kind and name.
func (ix *Index) Set(namespaceName string, s *quarantine.Selector) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	key := objectKey{s.Kind, s.Name}
	ix.delete(namespaceName, key)
	ix.namespace(namespaceName).file(key, s)
}

// SetUnreadable notes an object whose selector could not be understood.
func (ix *Index) SetUnreadable(namespaceName string, kind schema.GroupKind, name string, err error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	key := objectKey{kind, name}
	ix.delete(namespaceName, key)
	ix.namespace(namespaceName).unreadable[key] = err
}

// Delete takes an object out.
func (ix *Index) Delete(namespaceName string, kind schema.GroupKind, name string) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.delete(namespaceName, objectKey{kind, name})
}

// retain takes out the objects of a kind that are not kept.
func (ix *Index) retain(kind schema.GroupKind, kept func(namespaceName, name string) bool) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for namespaceName, ns := range ix.namespaces {
		for key := range ns.entries {
			if key.kind == kind && !kept(namespaceName, key.name) {
				ix.delete(namespaceName, key)
			}
		}
		for key := range ns.unreadable {
			if key.kind == kind && !kept(namespaceName, key.name) {
				ix.delete(namespaceName, key)
			}
		}
	}
}

// Namespace returns the selectors of one namespace, and fails if one of them
// could not be understood.
func (ix *Index) Namespace(name string) (quarantine.Selectors, error) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	if ns := ix.namespaces[name]; ns != nil {
		for key, err := range ns.unreadable {
			return nil, fmt.Errorf("reading the selector of %s %s/%s: %w", key.kind.Kind, name, key.name, err)
		}
	}
	return view{index: ix, namespace: name}, nil
}

func (ix *Index) namespace(name string) *namespace {
	ns := ix.namespaces[name]
	if ns == nil {
		ns = &namespace{
			entries:    map[objectKey]entry{},
			byPair:     map[pair][]*quarantine.Selector{},
			unreadable: map[objectKey]error{},
		}
		ix.namespaces[name] = ns
	}
	return ns
}

func (ix *Index) delete(namespaceName string, key objectKey) {
	ns := ix.namespaces[namespaceName]
	if ns == nil {
		return
	}
	delete(ns.unreadable, key)
	ns.remove(key)
	if len(ns.entries) == 0 && len(ns.unreadable) == 0 {
		delete(ix.namespaces, namespaceName)
	}
}

func (ns *namespace) file(key objectKey, s *quarantine.Selector) {
	e := entry{selector: s}
	fewest := -1
	for _, requirement := range s.Requirements {
		candidate, ok := pairOf(requirement)
		if !ok {
			continue
		}
		if n := len(ns.byPair[candidate]); fewest < 0 || n < fewest {
			e.pair, e.filed, fewest = candidate, true, n
		}
	}
	if e.filed {
		ns.byPair[e.pair] = append(ns.byPair[e.pair], s)
	} else {
		ns.rest = append(ns.rest, s)
	}
	ns.entries[key] = e
}

func (ns *namespace) remove(key objectKey) {
	e, ok := ns.entries[key]
	if !ok {
		return
	}
	delete(ns.entries, key)
	if !e.filed {
		ns.rest = without(ns.rest, e.selector)
		return
	}
	if left := without(ns.byPair[e.pair], e.selector); len(left) > 0 {
		ns.byPair[e.pair] = left
	} else {
		delete(ns.byPair, e.pair)
	}
}

// without takes one out, in no order. The caller holds the lock.
func without(list []*quarantine.Selector, s *quarantine.Selector) []*quarantine.Selector {
	i := slices.Index(list, s)
	last := len(list) - 1
	list[i] = list[last]
	list[last] = nil
	return list[:last]
}

// pairOf is the label with its value that a requirement asks for, if it asks for
// exactly one.
func pairOf(r labels.Requirement) (pair, bool) {
	switch r.Operator() {
	case selection.Equals, selection.DoubleEquals, selection.In:
		if values := r.ValuesUnsorted(); len(values) == 1 {
			return pair{r.Key(), values[0]}, true
		}
	}
	return pair{}, false
}

// view is the index as seen from one namespace.
type view struct {
	index     *Index
	namespace string
}

// Matching implements [quarantine.Selectors]. The order is that of kind and name.
func (v view) Matching(podLabels map[string]string) []*quarantine.Selector {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	ns := v.index.namespaces[v.namespace]
	if ns == nil {
		return nil
	}
	var matching []*quarantine.Selector
	add := func(candidates []*quarantine.Selector) {
		for _, s := range candidates {
			if matches(s.Requirements, podLabels) {
				matching = append(matching, s)
			}
		}
	}
	for key, value := range podLabels {
		add(ns.byPair[pair{key, value}])
	}
	add(ns.rest)
	slices.SortFunc(matching, func(a, b *quarantine.Selector) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	return matching
}

// Lookup implements [quarantine.Selectors].
func (v view) Lookup(kind schema.GroupKind, name string) *quarantine.Selector {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	ns := v.index.namespaces[v.namespace]
	if ns == nil {
		return nil
	}
	return ns.entries[objectKey{kind, name}].selector
}

func matches(requirements labels.Requirements, podLabels map[string]string) bool {
	for i := range requirements {
		if !requirements[i].Matches(labels.Set(podLabels)) {
			return false
		}
	}
	return true
}

// rank puts first what carries traffic.
func rank(kind schema.GroupKind) int {
	return slices.Index([]schema.GroupKind{
		quarantine.KindService, quarantine.KindReplicaSet, quarantine.KindStatefulSet, quarantine.KindDaemonSet,
		quarantine.KindJob, quarantine.KindReplicationController, quarantine.KindPodDisruptionBudget,
	}, kind)
}
