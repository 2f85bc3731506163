package selectors

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/quarantine"
)

var cloneSets = Resource{
	GroupVersionResource: schema.GroupVersionResource{Group: "apps.kruise.io", Version: "v1alpha1", Resource: "clonesets"},
	Path:                 []string{"spec", "selector"},
}

// cloneSet returns a CloneSet with this selector, unless that is nil, and with fields that
// isolate does not read.
func cloneSet(selector any) *unstructured.Unstructured {
	spec := map[string]any{"replicas": int64(3), "template": map[string]any{"spec": map[string]any{}}}
	if selector != nil {
		spec["selector"] = selector
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet",
		"metadata": map[string]any{
			"namespace": "ns", "name": "web", "uid": "uid", "resourceVersion": "7",
			"labels": map[string]any{"team": "shop"}, "annotations": map[string]any{"a": "b"},
			"ownerReferences": []any{map[string]any{
				"apiVersion": "example.com/v1", "kind": "Application", "name": "shop", "uid": "1", "controller": true,
			}},
		},
		"spec": spec, "status": map[string]any{"replicas": int64(3)},
	}}
}

type content = map[string]any

func TestTheSelectorOfACustomResourceIsALabelSelectorOrAMapOfLabels(t *testing.T) {
	for _, test := range []struct {
		name        string
		field       any
		matches     []map[string]string
		matchesNone []map[string]string
	}{
		{"a map of labels", content{"app": "web"}, []map[string]string{web}, []map[string]string{nil, {"app": "api"}}},
		{"matchLabels", content{"matchLabels": content{"app": "web"}}, []map[string]string{web}, []map[string]string{nil, {"app": "api"}}},
		{"matchExpressions", content{"matchExpressions": []any{content{"key": "app", "operator": "NotIn", "values": []any{"api"}}}},
			[]map[string]string{web, nil}, []map[string]string{{"app": "api"}}},
		{"both", content{"matchLabels": content{"app": "web"}, "matchExpressions": []any{content{"key": "track", "operator": "Exists"}}},
			[]map[string]string{{"app": "web", "track": ""}}, []map[string]string{web}},
		{"labels named like the fields of a label selector", content{"matchLabels": "a", "matchExpressions": "b"},
			[]map[string]string{{"matchLabels": "a", "matchExpressions": "b"}}, []map[string]string{web}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := cloneSets.extract(cloneSet(test.field))
			require.NoError(t, err)
			for _, labels := range test.matches {
				require.True(t, matches(got.Requirements, labels), labels)
			}
			for _, labels := range test.matchesNone {
				require.False(t, matches(got.Requirements, labels), labels)
			}
			got.Requirements = nil
			require.Equal(t, &quarantine.SelectingObject{
				Kind: schema.GroupKind{Group: "apps.kruise.io", Kind: "CloneSet"}, Name: "web", UID: "uid",
				Controller: &quarantine.Owner{Kind: schema.GroupKind{Group: "example.com", Kind: "Application"}, Name: "shop", UID: "1"},
			}, got)
		})
	}
}

func TestAnEmptySelectorOfACustomResourceSelectsNothing(t *testing.T) {
	for name, field := range map[string]any{
		"no field": nil, "an empty map": content{}, "an empty label selector": content{"matchLabels": content{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloneSets.extract(cloneSet(field))
			require.NoError(t, err)
			require.Nil(t, got)
		})
	}
	null := cloneSet(nil)
	null.Object["spec"] = map[string]any{"selector": nil}
	got, err := cloneSets.extract(null)
	require.NoError(t, err)
	require.Nil(t, got)
}

func TestACustomResourceWithoutAValidSelectorIsAnError(t *testing.T) {
	for _, test := range []struct {
		name    string
		field   any
		problem string
	}{
		{"text", "app=web", "the field must be a label selector or a map of labels, not string"},
		{"a list", []any{"app"}, "the field must be a label selector or a map of labels, not []interface {}"},
		{"a map of numbers", content{"app": int64(1)}, "the field must be a label selector or a map of labels: app is int64"},
		{"an unknown operator", content{"matchExpressions": []any{content{"key": "app", "operator": "Near"}}},
			`"Near" is not a valid label selector operator`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := cloneSets.extract(cloneSet(test.field))
			require.EqualError(t, err, test.problem)
		})
	}
	t.Run("a path that ends early", func(t *testing.T) {
		whole := cloneSet(nil)
		whole.Object["spec"] = "none"
		_, err := cloneSets.extract(whole)
		require.ErrorContains(t, err, ".spec.selector accessor error")
	})
}

// set stores an object.
func set(c *custom, object *unstructured.Unstructured) {
	c.Set(object.GetNamespace(), object.GetName(), c.Extract(object))
}

// isolate can't know whose pods the resource selects, so every namespace has the error.
func TestAClusterScopedCustomResourceIsAnErrorForEveryNamespace(t *testing.T) {
	w := &Watcher{index: NewIndex()}
	c := &custom{Resource: cloneSets, watcher: w}
	scoped := cloneSet(content{"app": "web"})
	scoped.SetNamespace("")
	set(c, scoped)
	_, err := w.index.Namespace("ns")
	require.EqualError(t, err, "reading the selector of CloneSet web: "+
		"it is cluster-scoped, and only namespaced resources can be watched; remove it from --selecting-resource")
	c.Delete("", "web")
	_, err = w.index.Namespace("ns")
	require.NoError(t, err)
}

func TestTheIndexFindsCustomResourcesToo(t *testing.T) {
	var changed []string
	w := &Watcher{index: NewIndex(), Changed: func(namespace string) { changed = append(changed, namespace) }}
	c := &custom{Resource: cloneSets, watcher: w}
	w.index.Set("ns", service(t, "web", "app", "web"))
	w.index.Set("ns", &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web", Requirements: service(t, "web", "app", "web").Requirements})
	set(c, cloneSet(content{"app": "web"}))
	var names []string
	for _, s := range matching(t, w.index, "ns", web) {
		names = append(names, s.String())
	}
	require.Equal(t, []string{"Service/web", "CloneSet/web", "ReplicaSet/web"}, names)
	require.Equal(t, []string{"ns"}, changed)
	c.Retain(func(string, string) bool { return false })
	require.Len(t, matching(t, w.index, "ns", web), 2)
	set(c, cloneSet(content{"app": "web"}))
	c.Delete("ns", "web")
	require.Len(t, matching(t, w.index, "ns", web), 2)
}
