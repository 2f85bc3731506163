package falcotalon

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// placeholder is the key and the value of the annotation that Falco Talon gives to a pod
// without annotations, so that there is a map to write to. It removes it in the end.
const placeholder = "pod"

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value,omitempty"`
}

// annotate sends the requests of kubernetes:annotation: it reads the pod, updates it if it
// has no annotations, replaces the annotations that have a value, and removes the others.
// Falco Talon sends the last two patches even if they are empty.
func annotate(ctx context.Context, client kubernetes.Interface, namespace, name string, annotations map[string]string) error {
	pods := client.CoreV1().Pods(namespace)
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	annotations = maps.Clone(annotations)
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{placeholder: placeholder}
		annotations[placeholder] = ""
		if _, err := pods.Update(ctx, pod, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	replace, remove := []operation{}, []operation{}
	for key, value := range annotations {
		path := "/metadata/annotations/" + strings.ReplaceAll(key, "/", "~1")
		if value == "" {
			remove = append(remove, operation{Op: "remove", Path: path})
			continue
		}
		replace = append(replace, operation{Op: "replace", Path: path, Value: value})
	}
	for _, patch := range [][]operation{replace, remove} {
		body, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		if _, err := pods.Patch(ctx, name, types.JSONPatchType, body, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// matches reports whether Falco Talon applies a rule to an event of Falco. It combines the
// conditions in an item of output_fields with "and", and the items with "or".
func (e entry) matches(rule string, fields map[string]string) bool {
	found := false
	for _, name := range e.Match.Rules {
		found = found || name == rule
	}
	if !found {
		return false
	}
	for _, item := range e.Match.OutputFields {
		all := true
		for condition := range strings.SplitSeq(item, ",") {
			condition = strings.TrimSpace(condition)
			if key, value, unequal := strings.Cut(condition, "!="); unequal {
				all = all && fields[key] != value
			} else if key, value, equal := strings.Cut(condition, "="); equal {
				all = all && fields[key] == value
			}
		}
		if all {
			return true
		}
	}
	return len(e.Match.OutputFields) == 0
}
