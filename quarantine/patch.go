package quarantine

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// edit collects a decision's changes of a pod's metadata, the only part of a pod that
// isolate changes.
type edit struct {
	labels      map[string]*string // nil removes
	annotations map[string]*string

	// dropOwners removes all ownerReferences.
	dropOwners bool

	// owners are ownerReferences to add.
	owners []metav1.OwnerReference
}

func newEdit() *edit {
	return &edit{labels: map[string]*string{}, annotations: map[string]*string{}}
}

// replaceLabels edits the labels so that they become the wanted ones.
func (e *edit) replaceLabels(current, want map[string]string) {
	for key := range merged(current, want) {
		if keyChanged(current, want, key) {
			e.labels[key] = valueOf(want, key)
		}
	}
}

func (e *edit) setLabel(key, value string)      { e.labels[key] = &value }
func (e *edit) removeLabel(key string)          { e.labels[key] = nil }
func (e *edit) setAnnotation(key, value string) { e.annotations[key] = &value }
func (e *edit) removeAnnotation(key string)     { e.annotations[key] = nil }

// patch returns the operations that apply the edit to the reviewed object, always in the
// same order, and none for a value that is already there. There are no test
// operations: the API server applies the patch to the object that it sent.
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

// isWritten reports whether the key already has the value of the edit.
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
			// An add replaces an existing member (RFC 6902, section 4.1).
			ops = append(ops, jsonpatch.NewOperation("add", path+"/"+escapePointer(key), *want))
		}
	}
	return ops
}

// labelsAfter returns the pod's labels after the edit.
func (e *edit) labelsAfter(pod *Metadata) map[string]string { return applied(pod.Labels, e.labels) }

// annotationsAfter returns the pod's annotations after the edit.
func (e *edit) annotationsAfter(pod *Metadata) map[string]string {
	return applied(pod.Annotations, e.annotations)
}

func applied(current map[string]string, changes map[string]*string) map[string]string {
	after := merged(current, nil)
	for key, value := range changes {
		if value == nil {
			delete(after, key)
		} else {
			after[key] = *value
		}
	}
	return after
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

// pointerEscapes are the escapes of a JSON pointer (RFC 6901, section 3).
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer encodes a key as a token of a JSON pointer.
func escapePointer(key string) string { return pointerEscapes.Replace(key) }
