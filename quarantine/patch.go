package quarantine

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// edit collects what a decision changes in a pod's metadata. Nothing else of a
// pod can be changed.
type edit struct {
	labels      map[string]*string // nil removes
	annotations map[string]*string

	// dropOwners removes all ownerReferences.
	dropOwners bool

	// owners are added.
	owners []metav1.OwnerReference
}

func newEdit() *edit {
	return &edit{labels: map[string]*string{}, annotations: map[string]*string{}}
}

func (e *edit) setLabel(key, value string)      { e.labels[key] = &value }
func (e *edit) removeLabel(key string)          { e.labels[key] = nil }
func (e *edit) setAnnotation(key, value string) { e.annotations[key] = &value }
func (e *edit) removeAnnotation(key string)     { e.annotations[key] = nil }

// patch returns the operations that bring the reviewed object to what was
// decided: none for what is so already, always in the same order, no test
// operation (the API server applies them to the very object it sent).
func (e *edit) patch(pod *Metadata) []jsonpatch.Operation {
	ops := mapOperations("/metadata/labels", pod.Labels, e.labels)
	ops = append(ops, mapOperations("/metadata/annotations", pod.Annotations, e.annotations)...)
	if e.dropOwners && len(pod.OwnerReferences) > 0 {
		ops = append(ops, jsonpatch.NewOperation("remove", "/metadata/ownerReferences", nil))
	}
	if len(e.owners) > 0 && len(pod.OwnerReferences) == 0 {
		return append(ops, jsonpatch.NewOperation("add", "/metadata/ownerReferences", e.owners))
	}
	for _, owner := range e.owners {
		ops = append(ops, jsonpatch.NewOperation("add", "/metadata/ownerReferences/-", owner))
	}
	return ops
}

// isWritten reports whether a key is as the edit has it.
func (e *edit) isWritten(changes map[string]*string, current map[string]string, key string) bool {
	want, ok := changes[key]
	now, has := current[key]
	return ok && ((want == nil && !has) || (want != nil && has && now == *want))
}

func mapOperations(path string, current map[string]string, changes map[string]*string) []jsonpatch.Operation {
	var ops []jsonpatch.Operation
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		now, has := current[key]
		switch want := changes[key]; {
		case want == nil && has:
			ops = append(ops, jsonpatch.NewOperation("remove", path+"/"+escapePointer(key), nil))
		case want != nil && (!has || now != *want):
			if len(current) == 0 && len(ops) == 0 {
				ops = append(ops, jsonpatch.NewOperation("add", path, map[string]string{}))
			}
			// An add replaces a member that is there (RFC 6902, 4.1).
			ops = append(ops, jsonpatch.NewOperation("add", path+"/"+escapePointer(key), *want))
		}
	}
	return ops
}

// pointerEscapes are those of a JSON pointer (RFC 6901, 3).
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer encodes a key as a token of a JSON pointer.
func escapePointer(key string) string { return pointerEscapes.Replace(key) }
