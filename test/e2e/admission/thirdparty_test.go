package admission

import (
	"maps"
	"slices"
	"strings"

	"isolate.example.io/quarantine"
)

// domain is the prefix of keys that third parties write.
const domain = "other.example.com/"

// position says when in an admission the API server calls the third party.
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

// thirdParty is an admission webhook or policy that is not isolate's. It acts on UPDATE of pods
// in the namespaces with its label.
type thirdParty struct {
	// name is unique: "adds-owner.after".
	name     string
	position position

	// when is a CEL expression for whether it acts. If empty, it always acts.
	when string

	// It changes the pod, or refuses the write.
	change
	refuses bool

	// slow means that the test decides when it responds.
	slow bool

	// removesRecord means that it removes what only isolate writes, so that isolate may refuse the
	// write and leave the pod unchanged.
	removesRecord bool

	// refusesSweeper means that it also refuses writes of the sweeper: rechecks or deletions.
	refusesSweeper bool
}

// change is what it changes in the pod's metadata.
type change struct {
	labels, annotations       map[string]string
	noLabels, noAnnotations   []string
	owner, controls           bool
	finalizer, dropFinalizers bool
	// counts appends a letter to an annotation at each call.
	counts bool
}

func (o thirdParty) label() string { return domain + o.name }

// lastWord reports whether it can attach the pod to a Service or a controller again after
// isolate's last call.
func (o thirdParty) lastWord() bool {
	return o.position == afterAgain && (len(o.labels) > 0 || o.owner || o.removesRecord)
}

// later reports whether it can do so in a write for which isolate is not called.
func (o thirdParty) later() bool {
	return strings.HasPrefix(string(o.position), "after") && (len(o.labels) > 0 || o.owner)
}

// returnsToReplicaSet reports whether it can return a quarantined pod to its ReplicaSet, which then
// has one pod too many and deletes one, unless the sweeper notices it first.
func (o thirdParty) returnsToReplicaSet() bool { return o.later() && o.labels["app"] != "" }

// contradicts reports whether it makes isolate's warnings false after isolate's call: the
// API server shows the warnings of every call.
func (o thirdParty) contradicts() bool {
	return strings.HasPrefix(string(o.position), "after") &&
		(o.lastWord() || o.removesRecord || len(o.noLabels) > 0 || o.touches(quarantine.HoldKey) || o.touches(quarantine.TTLKey) || o.touches(quarantine.TriggerKey))
}

// touches reports whether it writes a label or an annotation.
func (o thirdParty) touches(key string) bool {
	return slices.Contains(o.keys(), key)
}

// keys returns the keys of the labels and annotations that it writes.
func (o thirdParty) keys() []string {
	return slices.Concat(slices.Collect(maps.Keys(o.labels)), slices.Collect(maps.Keys(o.annotations)), o.noLabels, o.noAnnotations)
}

// combination has the third parties of one test.
type combination []thirdParty

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

func (c combination) any(is func(thirdParty) bool) bool { return slices.ContainsFunc(c, is) }

func (c combination) removesRecord() bool {
	return c.any(func(o thirdParty) bool { return o.removesRecord })
}
func (c combination) refusesSweeper() bool {
	return c.any(func(o thirdParty) bool { return o.refusesSweeper || o.removesRecord })
}
func (c combination) lastWord() bool { return c.any(thirdParty.lastWord) }
func (c combination) later() bool    { return c.any(thirdParty.later) }
func (c combination) slow() bool     { return c.any(func(o thirdParty) bool { return o.slow }) }

func (c combination) touch(key string) bool {
	return c.any(func(o thirdParty) bool { return o.touches(key) })
}

// contradicted reports whether the third parties may make isolate's warnings false. Two of them
// that write the same key may do so too.
func (c combination) contradicted() bool {
	keys := map[string]int{}
	for _, o := range c {
		for _, key := range o.keys() {
			keys[key]++
		}
	}
	return c.any(thirdParty.contradicts) || slices.ContainsFunc(slices.Collect(maps.Values(keys)), func(writers int) bool { return writers > 1 })
}

// refusedBy reports whether one of the third parties refused the write.
func (c combination) refusedBy(err error) bool {
	return c.any(func(o thirdParty) bool { return o.refuses && strings.Contains(err.Error(), o.name) })
}
