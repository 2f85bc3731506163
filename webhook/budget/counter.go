package budget

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// counter counts pods by namespace and by controller as they come and go, so that an
// admission costs the same however many pods are quarantined.
type counter struct {
	entries    map[types.UID]entry
	namespaces map[string]*total
}

// entry says where a pod counts: in a namespace and, unless empty, for a controller.
type entry struct {
	namespace  string
	controller types.UID
}

// total is the count of one namespace.
type total struct {
	all         int
	controllers map[types.UID]int
}

func newCounter() counter {
	return counter{entries: map[types.UID]entry{}, namespaces: map[string]*total{}}
}

// add counts a pod once, in place of its earlier entry.
func (c *counter) add(pod types.UID, e entry) {
	c.remove(pod)
	c.entries[pod] = e
	t := c.namespaces[e.namespace]
	if t == nil {
		t = &total{controllers: map[types.UID]int{}}
		c.namespaces[e.namespace] = t
	}
	t.all++
	t.controllers[e.controller]++
}

func (c *counter) remove(pod types.UID) {
	e, ok := c.entries[pod]
	if !ok {
		return
	}
	delete(c.entries, pod)
	t := c.namespaces[e.namespace]
	t.all--
	if t.controllers[e.controller]--; t.controllers[e.controller] == 0 {
		delete(t.controllers, e.controller)
	}
	if t.all == 0 {
		delete(c.namespaces, e.namespace)
	}
}

// used returns the use of each namespace.
func (c *counter) used() map[string]Use {
	used := make(map[string]Use, len(c.namespaces))
	for namespace, total := range c.namespaces {
		use := Use{All: total.all}
		for controller, pods := range total.controllers {
			if controller != "" {
				use.Controller = max(use.Controller, pods)
			}
		}
		used[namespace] = use
	}
	return used
}

// excluding returns the count of a namespace without one pod. It is valid until the
// counter changes.
func (c *counter) excluding(namespace string, pod types.UID) excluding {
	x := excluding{total: c.namespaces[namespace]}
	if e, ok := c.entries[pod]; ok && e.namespace == namespace {
		x.excluded = &e
	}
	return x
}

type excluding struct {
	total    *total
	excluded *entry
}

func (x excluding) all() int {
	switch {
	case x.total == nil:
		return 0
	case x.excluded != nil:
		return x.total.all - 1
	}
	return x.total.all
}

// controlled counts for any of these controllers, each once.
func (x excluding) controlled(by []types.UID) int {
	if x.total == nil {
		return 0
	}
	n := 0
	for i, controller := range by {
		if slices.Contains(by[:i], controller) {
			continue
		}
		n += x.total.controllers[controller]
		if x.excluded != nil && x.excluded.controller == controller {
			n--
		}
	}
	return n
}

// count implements [quarantine.Count].
type count struct{ stored, confirmed, unconfirmed excluding }

// All implements [quarantine.Count].
func (c count) All() quarantine.PodCount {
	return quarantine.PodCount{Quarantined: c.stored.all(), InFlight: c.confirmed.all() + c.unconfirmed.all()}
}

// Controlled implements [quarantine.Count].
func (c count) Controlled(by ...types.UID) quarantine.PodCount {
	return quarantine.PodCount{Quarantined: c.stored.controlled(by), InFlight: c.confirmed.controlled(by) + c.unconfirmed.controlled(by)}
}
