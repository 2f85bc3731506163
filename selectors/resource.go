package selectors

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/quarantine"
)

// Resource is a custom resource whose objects select pods of their namespace.
type Resource struct {
	schema.GroupVersionResource

	// Path leads to the selector in an object: spec, selector. The field there is a
	// label selector, or a map of labels as a Service has it.
	Path []string
}

// resourceFormat is the format of a flag's value: a resource with its group, which has a
// dot for every custom resource; the version; and a path without array notation, like the
// labelSelectorPath of a CustomResourceDefinition.
var resourceFormat = regexp.MustCompile(`^([a-z][a-z0-9-]*)\.([a-z0-9-]+(?:\.[a-z0-9-]+)+)/(v[a-z0-9]+)=((?:\.[A-Za-z_][A-Za-z0-9_-]*)+)$`)

// ParseResources parses values such as
// clonesets.apps.kruise.io/v1alpha1=.spec.selector. It returns every problem of them.
func ParseResources(values []string) (resources []Resource, errs []error) {
	for _, value := range values {
		resource, err := parseResource(value)
		if err == nil && slices.ContainsFunc(resources, func(r Resource) bool { return r.GroupResource() == resource.GroupResource() }) {
			err = errResourceRepeated
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("is %q, and %w", value, err))
			continue
		}
		resources = append(resources, resource)
	}
	return resources, errs
}

func parseResource(value string) (Resource, error) {
	found := resourceFormat.FindStringSubmatch(value)
	if found == nil {
		return Resource{}, errResourceFormat
	}
	resource := Resource{
		GroupVersionResource: schema.GroupVersionResource{Group: found[2], Version: found[3], Resource: found[1]},
		Path:                 strings.Split(found[4], ".")[1:],
	}
	if slices.Contains(builtIn, resource.GroupResource()) {
		return Resource{}, errResourceBuiltIn
	}
	return resource, nil
}

// builtIn are those of the always watched resources whose group has a dot.
var builtIn = []schema.GroupResource{
	{Group: "networking.k8s.io", Resource: "networkpolicies"},
	{Group: "discovery.k8s.io", Resource: "endpointslices"},
}

var (
	errResourceFormat = errors.New("must be a custom resource with its group, its version and the path of its selector, " +
		"such as clonesets.apps.kruise.io/v1alpha1=.spec.selector")
	errResourceBuiltIn  = errors.New("names a resource that isolate always watches")
	errResourceRepeated = errors.New("names a resource that an earlier value names too: give it once")
)

// extract returns the part of an object that a decision needs, or nil if the object selects
// nothing: the field is absent, or empty as in a Service.
func (r *Resource) extract(object *unstructured.Unstructured) (*quarantine.SelectingObject, error) {
	if object.GetNamespace() == "" {
		return nil, errClusterScoped
	}
	field, found, err := unstructured.NestedFieldNoCopy(object.Object, r.Path...)
	if err != nil {
		return nil, err
	}
	if !found || field == nil {
		return nil, nil
	}
	set, ok := field.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w, not %T", errNoSelector, field)
	}
	parsed, err := parseSelector(set)
	if err != nil {
		return nil, err
	}
	requirements, _ := parsed.Requirements()
	if len(requirements) == 0 {
		return nil, nil
	}
	return &quarantine.SelectingObject{
		Kind: object.GroupVersionKind().GroupKind(), Name: object.GetName(), UID: object.GetUID(),
		Requirements: requirements, Controller: controllerOf(object),
	}, nil
}

var (
	errNoSelector    = errors.New("the field must be a label selector or a map of labels")
	errClusterScoped = errors.New("it is cluster-scoped, and only namespaced resources can be watched; remove it from --selecting-resource")
)

// parseSelector parses a label selector or a map of labels. In a map of labels, the value
// of a label named matchLabels is a string.
func parseSelector(field map[string]any) (labels.Selector, error) {
	_, hasLabels := field["matchLabels"].(map[string]any)
	_, hasExpressions := field["matchExpressions"].([]any)
	if hasLabels || hasExpressions {
		selector := &metav1.LabelSelector{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(field, selector); err != nil {
			return nil, err
		}
		return metav1.LabelSelectorAsSelector(selector)
	}
	set := labels.Set{}
	for key, value := range field {
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("%w: %s is %T", errNoSelector, key, value)
		}
		set[key] = text
	}
	return labels.ValidatedSelectorFromSet(set)
}
