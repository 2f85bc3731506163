package selectors

import (
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"isolate.example.io/quarantine"
)

// Index finds the objects that select a pod, with the NetworkPolicies separate from the
// others.
type Index struct {
	mu         sync.RWMutex
	namespaces map[string]*namespace

	slices *endpointSlices
}

type namespace struct {
	objects   map[schema.GroupKind]map[string]*quarantine.SelectingObject // by kind and name
	selecting postings
	policies  postings

	// unreadable are the objects whose selector could not be parsed. While there is one,
	// isolate does not know what selects a pod.
	unreadable map[objectKey]error
}

type objectKey struct {
	kind schema.GroupKind
	name string
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	return &Index{namespaces: map[string]*namespace{}, slices: newEndpointSlices()}
}

// Set stores an object, replacing the one of the same kind and name.
func (ix *Index) Set(namespaceName string, s *quarantine.SelectingObject) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	key := objectKey{s.Kind, s.Name}
	ix.delete(namespaceName, key)
	ix.namespace(namespaceName).add(s)
}

// SetUnreadable stores an object whose selector could not be parsed.
func (ix *Index) SetUnreadable(namespaceName string, kind schema.GroupKind, name string, err error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	key := objectKey{kind, name}
	ix.delete(namespaceName, key)
	ix.namespace(namespaceName).unreadable[key] = err
}

// Delete removes an object.
func (ix *Index) Delete(namespaceName string, kind schema.GroupKind, name string) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.delete(namespaceName, objectKey{kind, name})
}

// retain removes the objects of a kind for which kept returns false.
func (ix *Index) retain(kind schema.GroupKind, kept func(namespaceName, name string) bool) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for namespaceName, ns := range ix.namespaces {
		for name := range ns.objects[kind] {
			if !kept(namespaceName, name) {
				ix.delete(namespaceName, objectKey{kind, name})
			}
		}
		for key := range ns.unreadable {
			if key.kind == kind && !kept(namespaceName, key.name) {
				ix.delete(namespaceName, key)
			}
		}
	}
}

// Namespace returns the selectors of one namespace. It fails if one of them, or one of a
// cluster-scoped object, could not be parsed.
func (ix *Index) Namespace(name string) (quarantine.Selectors, error) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	for _, place := range []string{name, metav1.NamespaceNone} {
		if ns := ix.namespaces[place]; ns != nil {
			for key, err := range ns.unreadable {
				return nil, fmt.Errorf("reading the selector of %s %s: %w", key.kind.Kind, cache.NewObjectName(place, key.name), err)
			}
		}
	}
	return view{index: ix, namespace: name}, nil
}

func (ix *Index) namespace(name string) *namespace {
	ns := ix.namespaces[name]
	if ns == nil {
		ns = &namespace{
			objects:    map[schema.GroupKind]map[string]*quarantine.SelectingObject{},
			selecting:  newPostings(),
			policies:   newPostings(),
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
	if len(ns.objects) == 0 && len(ns.unreadable) == 0 {
		delete(ix.namespaces, namespaceName)
	}
}

func (ns *namespace) add(s *quarantine.SelectingObject) {
	named := ns.objects[s.Kind]
	if named == nil {
		named = map[string]*quarantine.SelectingObject{}
		ns.objects[s.Kind] = named
	}
	named[s.Name] = s
	ns.postings(s.Kind).add(s)
}

func (ns *namespace) remove(key objectKey) {
	named := ns.objects[key.kind]
	s := named[key.name]
	if s == nil {
		return
	}
	if delete(named, key.name); len(named) == 0 {
		delete(ns.objects, key.kind)
	}
	ns.postings(key.kind).remove(s)
}

// postings returns the postings with a kind's selectors.
func (ns *namespace) postings(kind schema.GroupKind) *postings {
	if kind == quarantine.KindNetworkPolicy {
		return &ns.policies
	}
	return &ns.selecting
}

// view is the part of the index for one namespace.
type view struct {
	index     *Index
	namespace string
}

// Matching implements [quarantine.Selectors]. The result is sorted by kind and name.
func (v view) Matching(podLabels map[string]string) []*quarantine.SelectingObject {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	if ns := v.index.namespaces[v.namespace]; ns != nil {
		return ns.selecting.matching(podLabels)
	}
	return nil
}

// NetworkPolicies implements [quarantine.Selectors]. The result is sorted by name.
func (v view) NetworkPolicies(podLabels map[string]string) []*quarantine.SelectingObject {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	if ns := v.index.namespaces[v.namespace]; ns != nil {
		return ns.policies.matching(podLabels)
	}
	return nil
}

// Lookup implements [quarantine.Selectors].
func (v view) Lookup(kind schema.GroupKind, name string) *quarantine.SelectingObject {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	ns := v.index.namespaces[v.namespace]
	if ns == nil {
		return nil
	}
	return ns.objects[kind][name]
}

// EndpointSlices implements [quarantine.Selectors].
func (v view) EndpointSlices(pod string, uid types.UID) []*quarantine.EndpointSlice {
	return v.index.slices.naming(types.NamespacedName{Namespace: v.namespace, Name: pod}, uid)
}
