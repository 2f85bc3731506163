package quarantine

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// edit collects a decision's changes of a pod's metadata, the only part of a pod that
// isolate changes.
type edit struct {
	labels, annotations changes

	// dropOwners removes all ownerReferences.
	dropOwners bool

	// owners are ownerReferences to add.
	owners []metav1.OwnerReference
}

// changes are changes of labels or of annotations, in the order of their keys.
type changes []change

type change struct {
	key   string
	value *string // nil removes
}

// maxChanges is how many annotations a quarantine changes.
const maxChanges = 10

func newEdit() *edit { return &edit{annotations: make(changes, 0, maxChanges)} }

func (c *changes) set(key string, value *string) {
	i, found := c.find(key)
	if !found {
		*c = slices.Insert(*c, i, change{key: key})
	}
	(*c)[i].value = value
}

func (c changes) find(key string) (int, bool) {
	return slices.BinarySearchFunc(c, key, func(has change, key string) int { return strings.Compare(has.key, key) })
}

// isWritten reports whether the key already has the value of a change.
func (c changes) isWritten(current map[string]string, key string) bool {
	i, found := c.find(key)
	return found && equal(valueOf(current, key), c[i].value)
}

// appliedTo returns the labels or annotations after the changes.
func (c changes) appliedTo(current map[string]string) map[string]string {
	after := merged(current, nil)
	for _, change := range c {
		if change.value == nil {
			delete(after, change.key)
		} else {
			after[change.key] = *change.value
		}
	}
	return after
}

// replaceLabels edits the labels so that they become the wanted ones.
func (e *edit) replaceLabels(current, want map[string]string) {
	for _, key := range changedKeys(current, want) {
		e.labels.set(key, valueOf(want, key))
	}
}

func (e *edit) setLabel(key, value string)      { e.labels.set(key, &value) }
func (e *edit) removeLabel(key string)          { e.labels.set(key, nil) }
func (e *edit) setAnnotation(key, value string) { e.annotations.set(key, &value) }
func (e *edit) removeAnnotation(key string)     { e.annotations.set(key, nil) }

// patch returns the operations that apply the edit to the reviewed object, always in the
// same order, and none for a value that is already there. There are no test
// operations: the API server applies the patch to the object that it sent.
func (e *edit) patch(pod *Metadata) []Operation {
	operations := make([]Operation, 0, len(e.labels)+len(e.annotations)+1)
	operations = e.labels.appendTo(operations, "/metadata/labels", pod.Labels)
	operations = e.annotations.appendTo(operations, "/metadata/annotations", pod.Annotations)
	if e.dropOwners && len(pod.OwnerReferences) > 0 {
		operations = append(operations, Operation{Op: "remove", Path: "/metadata/ownerReferences"})
	}
	if len(e.owners) > 0 && len(pod.OwnerReferences) == 0 {
		return append(operations, Operation{"add", "/metadata/ownerReferences", e.owners})
	}
	for _, owner := range e.owners {
		operations = append(operations, Operation{"add", "/metadata/ownerReferences/-", owner})
	}
	return operations
}

// appendTo appends the operations that apply the changes to the labels or annotations at
// this path.
func (c changes) appendTo(operations []Operation, path string, current map[string]string) []Operation {
	before := len(operations)
	for _, change := range c {
		now, has := current[change.key]
		switch {
		case change.value == nil && has:
			operations = append(operations, Operation{Op: "remove", Path: path + "/" + escapePointer(change.key)})
		case change.value != nil && (!has || now != *change.value):
			if len(current) == 0 && len(operations) == before {
				operations = append(operations, Operation{"add", path, map[string]string{}})
			}
			// An add replaces an existing member (RFC 6902, section 4.1).
			operations = append(operations, Operation{"add", path + "/" + escapePointer(change.key), change.value})
		}
	}
	return operations
}

// merged returns the first map overlaid with the second.
func merged[V any](under, over map[string]V) map[string]V {
	all := maps.Clone(under)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, over)
	return all
}

// escapePointer encodes a key as a token of a JSON pointer (RFC 6901, section 3).
func escapePointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
