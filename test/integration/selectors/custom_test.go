package selectors

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/selectors"
	"isolate.example.io/test/framework/manifests"
)

// custom is a custom resource whose objects select pods.
type custom struct {
	kind     schema.GroupVersionKind
	resource string
	// selector is the field in an object's spec that selects pods with these labels.
	selector func(selected labels) any
}

var (
	inferencePools = custom{
		kind:     schema.GroupVersionKind{Group: "inference.networking.k8s.io", Version: "v1", Kind: "InferencePool"},
		resource: "inferencepools",
		selector: func(selected labels) any { return map[string]any{"matchLabels": asAny(selected)} },
	}
	cloneSets = custom{
		kind:     schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"},
		resource: "clonesets",
		selector: func(selected labels) any {
			return map[string]any{"matchExpressions": []any{
				map[string]any{"key": "app", "operator": "In", "values": []any{selected["app"], "other"}},
			}}
		},
	}
)

func asAny(set labels) map[string]any {
	converted := map[string]any{}
	for key, value := range set {
		converted[key] = value
	}
	return converted
}

// inGroup is the same resource in a group that only one test has.
func (c custom) inGroup(group string) custom {
	c.kind.Group = group
	return c
}

func (c custom) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: c.kind.Group, Resource: c.resource}
}

// flag is the value of --selecting-resource.
func (c custom) flag() string {
	return c.resource + "." + c.kind.Group + "/" + c.kind.Version + "=.spec.selector"
}

// definition is the CustomResourceDefinition.
func (c custom) definition() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{
			"name":        c.groupResource().String(),
			"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, made by a test"},
		},
		"spec": map[string]any{
			"group": c.kind.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": c.kind.Kind, "plural": c.resource},
			"versions": []any{map[string]any{
				"name": c.kind.Version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}

// install creates the definition and waits until the resource can be listed.
func (c custom) install(t *testing.T) {
	t.Helper()
	create(t, c.definition())
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(c.kind)
	eventually(t, c.resource+" is served", func() error { return admin.List(t.Context(), list) })
}

func (c custom) object(namespace, name string, selected labels) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"selector": c.selector(selected)}}}
	object.SetGroupVersionKind(c.kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// startWith has a new watcher watch these values of the flag too.
func startWith(t *testing.T, config *rest.Config, values ...string) *selectors.Watcher {
	t.Helper()
	resources, errs := selectors.ParseResources(values)
	require.Empty(t, errs)
	objects, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return watch(t, newWatcher(t, config).WithResources(objects, resources))
}

func TestACustomResourceThatIsNotServedYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	watcher := startWith(t, config, inferencePools.flag(), cloneSets.flag())
	waitReady(t, watcher)
	waitMatching(t, watcher, namespace, blue)
	for _, c := range []custom{inferencePools, cloneSets} {
		c.install(t)
		object := c.object(namespace, "web", blue)
		create(t, object)
		known := func(o client.Object) match { return match{object: c.kind.Kind + "/web", uid: o.GetUID()} }
		waitMatching(t, watcher, namespace, blue, known(object))

		object.Object["spec"] = c.object(namespace, "web", green).Object["spec"]
		require.NoError(t, admin.Update(t.Context(), object))
		waitMatching(t, watcher, namespace, green, known(object))
		waitMatching(t, watcher, namespace, blue)

		remove(t, object)
		waitMatching(t, watcher, namespace, green)
	}
}

func TestACustomResourceThatWasReadAndIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	pools := inferencePools.inGroup("gone.example.com")
	pools.install(t)
	object := pools.object(namespace, "web", blue)
	create(t, object)
	watcher := startWith(t, config, pools.flag())
	waitMatching(t, watcher, namespace, blue, match{object: "InferencePool/web", uid: object.GetUID()})

	definition := pools.definition()
	require.NoError(t, admin.Delete(t.Context(), definition))
	waitFailing(t, watcher, func(err error) bool {
		return apierrors.IsNotFound(err) && err.Error() == "reading inferencepools.gone.example.com: the server could not find the requested resource; "+
			"install its CustomResourceDefinition again, or remove it from --selecting-resource and restart isolate"
	})
	eventually(t, "the definition is deleted", func() error {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(definition), definition); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it answers: %w", err)
		}
		return nil
	})
	pools.install(t)
	waitReady(t, watcher)
	waitMatching(t, watcher, namespace, blue)
}

// A missing permission isn't a missing resource: something may select the pod. That
// goes for a resource that doesn't exist, too: the API server doesn't tell it then.
func TestACustomResourceThatMayNotBeReadIsAnErrorThatNamesTheLabel(t *testing.T) {
	t.Parallel()
	shipped := shippedRules(t)
	for name, installed := range map[string]bool{"served": true, "missing": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sets := cloneSets.inGroup(name + ".example.com")
			if installed {
				sets.install(t)
			}
			account := newAccount(t, shipped, schema.GroupResource{})
			watcher := startWith(t, account.config(), sets.flag())
			waitFailing(t, watcher, func(err error) bool {
				return apierrors.IsForbidden(err) && err.Error() == fmt.Sprintf("reading clonesets.%[1]s.example.com: "+
					"clonesets.%[1]s.example.com is forbidden: User %[2]q cannot list resource %[3]q in API group %[4]q at the cluster scope; "+
					`allow isolate to list and watch it by a ClusterRole with the label rbac.isolate.example.io/aggregate-to-selecting: "true"`,
					name, account.name, "clonesets", name+".example.com")
			})
			account.allow(t, append(slices.Clone(shipped), rbacv1.PolicyRule{
				APIGroups: []string{sets.kind.Group}, Resources: []string{sets.resource}, Verbs: []string{"list", "watch"},
			}))
			waitReady(t, watcher)
		})
	}
}

// The example's roles are enough to read what its flags name.
func TestTheExampleOfSelectingResourcesReadsWhatItNames(t *testing.T) {
	t.Parallel()
	kubectl := filepath.Join(server.BinaryAssetsDirectory, "kubectl")
	roles, err := manifests.Build(t.Context(), kubectl, "../../../manifests", "examples/selecting-resources")
	require.NoError(t, err)
	require.Len(t, roles, 1)
	role := &rbacv1.ClusterRole{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(roles[0].Object, role, true))
	require.Equal(t, labels{selectors.AggregationLabel: "true"}, role.Labels)

	overlay, err := manifests.WithComponent(t.TempDir(), "../../../manifests", "base", "examples/selecting-resources")
	require.NoError(t, err)
	objects, err := manifests.Build(t.Context(), kubectl, "../../../manifests", overlay)
	require.NoError(t, err)
	flags := map[string][]string{}
	for _, object := range objects {
		switch object.GetKind() {
		case "Deployment":
			containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
			require.NoError(t, err)
			args, _, err := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
			require.NoError(t, err)
			for _, arg := range args {
				if value, ok := strings.CutPrefix(arg, "--selecting-resource="); ok {
					flags[object.GetName()] = append(flags[object.GetName()], value)
				}
			}
		case "ClusterRole":
			if object.GetName() == "isolate-selecting-resources" {
				aggregated := &rbacv1.ClusterRole{}
				require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, aggregated, true))
				require.Equal(t, []metav1.LabelSelector{{MatchLabels: role.Labels}}, aggregated.AggregationRule.ClusterRoleSelectors)
			}
		}
	}
	require.Len(t, flags["isolate-webhook"], 2)
	require.Equal(t, flags["isolate-webhook"], flags["isolate-sweeper"], "both programs watch the same")
	account := newAccount(t, append(shippedRules(t), role.Rules...), schema.GroupResource{})
	waitReady(t, startWith(t, account.config(), flags["isolate-webhook"]...))
}
