package admission

import (
	"maps"
	"slices"
	"strings"

	"isolate.example.io/quarantine"
)

// domain is that of everybody else.
const domain = "other.example.com/"

// position says which part of the API server asks an other, and when.
type position string

const (
	// A policy runs before every mutating webhook, and again after one that changed the pod.
	policy position = "policy"
	// A webhook whose configuration is named before isolate's, and not reinvoked or reinvoked.
	before      position = "before"
	beforeAgain position = "before-again"
	// A webhook whose configuration is named after isolate's.
	after      position = "after"
	afterAgain position = "after-again"
	// A validating webhook: the API server calls all of them at the same time.
	validating position = "validating"
)

// other is one admission webhook or policy of somebody else. It acts on UPDATE of
// pods, in the namespaces that carry its label.
type other struct {
	// name is unique: "adds-owner.after".
	name     string
	position position

	// when is the CEL expression that must be true for it to act; empty is always.
	when string

	// It mutates, or refuses the write.
	change
	refuses bool

	// slow has the test decide when it answers.
	slow bool

	// undoes says that it takes away what only isolate writes, so that isolate may
	// refuse the write and keep the pod as it is.
	undoes bool

	// hinders says that a refusal of it also stops the sweeper: its rechecks, or its
	// deletion.
	hinders bool
}

// change is what an other does to the pod's metadata.
type change struct {
	labels, annotations       map[string]string
	noLabels, noAnnotations   []string
	owner, controls           bool
	finalizer, dropFinalizers bool
	// counts appends a letter to an annotation each time it is asked.
	counts bool
}

func (o other) label() string { return domain + o.name }

// lastWord reports whether the other can bring the pod back into a Service or to a
// controller after isolate was asked for the last time.
func (o other) lastWord() bool {
	return o.position == afterAgain && (len(o.labels) > 0 || o.owner || o.undoes)
}

// later reports whether the other can do so in a write of which isolate isn't asked.
func (o other) later() bool {
	return strings.HasPrefix(string(o.position), "after") && (len(o.labels) > 0 || o.owner)
}

// givesBack reports whether the other can return a quarantined pod to its ReplicaSet, which
// deletes one pod of too many: for good, or until the sweeper has noticed it.
func (o other) givesBack() bool { return o.later() && o.labels["app"] != "" }

// contradicts reports whether the other takes back what isolate's answer says, after
// isolate was asked: the API server shows the warnings of every call.
func (o other) contradicts() bool {
	return strings.HasPrefix(string(o.position), "after") &&
		(o.lastWord() || o.undoes || len(o.noLabels) > 0 || o.touches(quarantine.HoldKey) || o.touches(quarantine.TTLKey) || o.touches(quarantine.TriggerKey))
}

// touches reports whether the other writes a label or an annotation.
func (o other) touches(key string) bool {
	return slices.Contains(o.keys(), key)
}

// keys are the labels and annotations that the other writes.
func (o other) keys() []string {
	return slices.Concat(slices.Collect(maps.Keys(o.labels)), slices.Collect(maps.Keys(o.annotations)), o.noLabels, o.noAnnotations)
}

// combination is the others of one test.
type combination []other

func (c combination) name() string {
	if len(c) == 0 {
		return "nobody"
	}
	names := make([]string, len(c))
	for i, o := range c {
		names[i] = o.name
	}
	return strings.Join(names, ",")
}

func (c combination) any(is func(other) bool) bool { return slices.ContainsFunc(c, is) }

func (c combination) undone() bool { return c.any(func(o other) bool { return o.undoes }) }
func (c combination) hindered() bool {
	return c.any(func(o other) bool { return o.hinders || o.undoes })
}
func (c combination) lastWord() bool { return c.any(other.lastWord) }
func (c combination) later() bool    { return c.any(other.later) }
func (c combination) slow() bool     { return c.any(func(o other) bool { return o.slow }) }

func (c combination) touch(key string) bool {
	return c.any(func(o other) bool { return o.touches(key) })
}

// contradicted reports whether the others may take back what an answer says: two of them
// that fight for one key do so as well.
func (c combination) contradicted() bool {
	keys := map[string]int{}
	for _, o := range c {
		for _, key := range o.keys() {
			keys[key]++
		}
	}
	return c.any(other.contradicts) || slices.ContainsFunc(slices.Collect(maps.Values(keys)), func(writers int) bool { return writers > 1 })
}

// refusedBy reports whether one of the others refused the write.
func (c combination) refusedBy(err error) bool {
	return c.any(func(o other) bool { return o.refuses && strings.Contains(err.Error(), o.name) })
}
