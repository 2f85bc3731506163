package webhook

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// tally counts pods by namespace and by controller as they come and go, so that an
// admission costs the same however many pods are quarantined.
type tally struct {
	members    map[types.UID]member
	namespaces map[string]*total
}

// member is where a pod counts, and for which controller; for none if empty.
type member struct {
	namespace  string
	controller types.UID
}

// total is what a namespace has.
type total struct {
	all         int
	controllers map[types.UID]int
}

func newTally() tally {
	return tally{members: map[types.UID]member{}, namespaces: map[string]*total{}}
}

// put counts a pod, once.
func (t *tally) put(pod types.UID, m member) {
	t.drop(pod)
	t.members[pod] = m
	of := t.namespaces[m.namespace]
	if of == nil {
		of = &total{controllers: map[types.UID]int{}}
		t.namespaces[m.namespace] = of
	}
	of.all++
	of.controllers[m.controller]++
}

// drop counts a pod no more.
func (t *tally) drop(pod types.UID) {
	m, counted := t.members[pod]
	if !counted {
		return
	}
	delete(t.members, pod)
	of := t.namespaces[m.namespace]
	of.all--
	if of.controllers[m.controller]--; of.controllers[m.controller] == 0 {
		delete(of.controllers, m.controller)
	}
	if of.all == 0 {
		delete(t.namespaces, m.namespace)
	}
}

// others are the pods of a namespace but for one.
func (t *tally) others(namespace string, pod types.UID) others {
	o := others{of: t.namespaces[namespace]}
	if m, counted := t.members[pod]; counted && m.namespace == namespace {
		o.but = &m
	}
	return o
}

// others implements [quarantine.Count].
type others struct {
	of  *total
	but *member
}

// All implements [quarantine.Count].
func (o others) All() int {
	switch {
	case o.of == nil:
		return 0
	case o.but != nil:
		return o.of.all - 1
	}
	return o.of.all
}

// Controlled implements [quarantine.Count].
func (o others) Controlled(by ...types.UID) int {
	if o.of == nil {
		return 0
	}
	n := 0
	for i, controller := range by {
		if slices.Contains(by[:i], controller) {
			continue
		}
		n += o.of.controllers[controller]
		if o.but != nil && o.but.controller == controller {
			n--
		}
	}
	return n
}
