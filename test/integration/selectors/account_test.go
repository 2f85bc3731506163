package selectors

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/manifests"
)

// account is a ServiceAccount with its own ClusterRole.
type account struct {
	name string
	role *rbacv1.ClusterRole
}

// newAccount creates an account with these rules, except some verbs on a resource.
func newAccount(t *testing.T, rules []rbacv1.PolicyRule, but schema.GroupResource, verbs ...string) *account {
	t.Helper()
	namespace := newNamespace(t)
	a := &account{
		name: "system:serviceaccount:" + namespace + ":isolate-webhook",
		role: &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Rules: without(rules, but, verbs)},
	}
	create(t, a.role)
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: namespace},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "isolate-webhook"}},
	})
	a.waitFor(t, a.role.Rules, true)
	return a
}

// shippedRules returns the rules of the webhook's shipped ClusterRole, except those on
// pods and namespaces, of which it reads only metadata.
func shippedRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	objects, err := manifests.Build(t.Context(), filepath.Join(server.BinaryAssetsDirectory, "kubectl"), "../../../manifests", "base")
	require.NoError(t, err)
	role := &rbacv1.ClusterRole{}
	for _, object := range objects {
		if object.GetKind() == "ClusterRole" && object.GetName() == "isolate-webhook" {
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role))
		}
	}
	require.NotEmpty(t, role.Rules)
	rules := without(role.Rules, schema.GroupResource{Resource: "pods"}, role.Rules[0].Verbs)
	return without(rules, schema.GroupResource{Resource: "namespaces"}, role.Rules[0].Verbs)
}

// config returns the config of a client of the account.
func (a *account) config() *rest.Config {
	c := rest.CopyConfig(config)
	c.Impersonate.UserName = a.name
	return c
}

// allow replaces the account's rules.
func (a *account) allow(t *testing.T, rules []rbacv1.PolicyRule) {
	t.Helper()
	a.role.Rules = rules
	require.NoError(t, admin.Update(t.Context(), a.role))
}

// waitFor waits until the authorizer knows the account's rules.
func (a *account) waitFor(t *testing.T, rules []rbacv1.PolicyRule, allowed bool) {
	t.Helper()
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			eventually(t, "the permission is as expected", func() error { return a.may(t, rule.APIGroups[0], resource, rule.Verbs[0], allowed) })
		}
	}
}

func (a *account) may(t *testing.T, group, resource, verb string, want bool) error {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               a.name,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: group, Resource: resource, Verb: verb},
	}}
	create(t, review)
	if review.Status.Allowed != want {
		return fmt.Errorf("%s of %s allowed: %t", verb, resource, review.Status.Allowed)
	}
	return nil
}

// forbidden returns a matcher for the 403 of this verb and resource.
func (a *account) forbidden(resource schema.GroupResource, verb string) func(error) bool {
	want := fmt.Sprintf("reading %s: %s is forbidden: User %q cannot %s resource %q in API group %q at the cluster scope",
		resource.Resource, resource, a.name, verb, resource.Resource, resource.Group)
	return func(err error) bool { return apierrors.IsForbidden(err) && err.Error() == want }
}

// without returns the rules without these verbs on a resource.
func without(rules []rbacv1.PolicyRule, resource schema.GroupResource, verbs []string) []rbacv1.PolicyRule {
	var left []rbacv1.PolicyRule
	for _, rule := range rules {
		for _, each := range rule.Resources {
			one := rbacv1.PolicyRule{APIGroups: rule.APIGroups, Resources: []string{each}, Verbs: rule.Verbs}
			if each == resource.Resource && rule.APIGroups[0] == resource.Group {
				one.Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(v string) bool { return slices.Contains(verbs, v) })
			}
			if len(one.Verbs) > 0 {
				left = append(left, one)
			}
		}
	}
	return left
}
