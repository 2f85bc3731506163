package availability

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/controlplane"
	"isolate.example.io/test/installation"
)

// serviceAccounts begins the user names of isolate's programs.
const serviceAccounts = "system:serviceaccount:" + installation.Namespace + ":"

// entry is what the audit log says of a request.
type entry struct {
	User      struct{ Username string }
	Verb      string
	ObjectRef struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	Stage     string
	// Annotations have the authorizer's decision.
	Annotations map[string]string
	RequestURI  string
}

// permission is the smallest thing that a role grants.
type permission struct{ user, namespace, group, resource, name, verb string }

// While the programs do all that they do, as the ServiceAccounts that are shipped,
// none of their requests is denied, and each permission is used. Both are read
// from the API server: the audit log, and the roles that are bound.
func TestNoRequestIsDeniedAndNoPermissionIsUnused(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	policy := filepath.Join(t.TempDir(), "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [
		{"level": "Metadata", "userGroups": ["system:serviceaccounts:`+installation.Namespace+`"]}, {"level": "None"}]}`), 0o600))
	c := start(t, controlplane.Options{APIServerFlags: []string{"--audit-log-path=" + log, "--audit-policy-file=" + policy}})
	c.install(installation.Options{})
	c.everythingHappens()

	granted := c.permissions()
	require.NotEmpty(t, granted)
	var unused []permission
	defer func() {
		if t.Failed() {
			t.Logf("never used: %+v", unused)
		}
	}()
	c.until(func() bool {
		entries := c.audited(log)
		unused = slices.DeleteFunc(slices.Clone(granted), func(p permission) bool { return slices.ContainsFunc(entries, p.covers) })
		return len(unused) == 0
	}, "each permission is used")
	for _, e := range c.audited(log) {
		require.Equal(t, "allow", e.Annotations["authorization.k8s.io/decision"], "%+v", e)
	}
}

// everythingHappens has a pod quarantined, expired and deleted, and another one
// selected again while it is quarantined.
func (c *cluster) everythingHappens() {
	c.Helper()
	ctx, labels := c.Context(), map[string]string{"app": "web"}
	c.namespace("shop")
	_, err := c.admin.AppsV1().Deployments("shop").Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
			},
		},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	pods := c.pods("shop", "app=web", 2)
	c.annotate(&pods[0], map[string]string{quarantine.TriggerKey: "true", quarantine.TTLKey: "1s"})
	c.annotate(&pods[1], map[string]string{quarantine.TriggerKey: "true"})
	_, err = c.admin.CoreV1().Services("shop").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "greedy"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "quarantined-web"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	c.pods("shop", quarantine.LabelKey+",app=quarantined-quarantined-web", 1)
	c.pods("shop", quarantine.LabelKey, 1)
}

// pods waits until there are so many, and returns them.
func (c *cluster) pods(namespace, selector string, count int) []corev1.Pod {
	c.Helper()
	var list *corev1.PodList
	c.until(func() bool {
		var err error
		list, err = c.admin.CoreV1().Pods(namespace).List(c.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(c, err)
		return len(list.Items) == count
	}, "%d pods in %s have %s", count, namespace, selector)
	return list.Items
}

func (c *cluster) annotate(pod *corev1.Pod, annotations map[string]string) {
	c.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	require.NoError(c, err)
	// A pod that has just come to be may be unknown to the webhook's index yet.
	_, err = c.admin.CoreV1().Pods(pod.Namespace).Patch(c.Context(), pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(c, err)
}

func (c *cluster) audited(path string) []entry {
	c.Helper()
	data, err := os.ReadFile(path)
	require.NoError(c, err)
	var entries []entry
	for line := range strings.Lines(string(data)) {
		var e entry
		// The last line may be half written.
		if json.Unmarshal([]byte(line), &e) == nil && strings.HasPrefix(e.User.Username, serviceAccounts) && e.Stage != "RequestReceived" {
			entries = append(entries, e)
		}
	}
	return entries
}

// permissions are all that the roles bound to isolate's ServiceAccounts grant.
func (c *cluster) permissions() []permission {
	c.Helper()
	ctx, options := c.Context(), metav1.ListOptions{}
	var all []permission
	add := func(namespace string, subjects []rbacv1.Subject, ref rbacv1.RoleRef) {
		for _, subject := range subjects {
			if subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == installation.Namespace {
				all = append(all, granted(serviceAccounts+subject.Name, namespace, c.rules(namespace, ref))...)
			}
		}
	}
	clusterWide, err := c.admin.RbacV1().ClusterRoleBindings().List(ctx, options)
	require.NoError(c, err)
	for _, binding := range clusterWide.Items {
		add("", binding.Subjects, binding.RoleRef)
	}
	inNamespaces, err := c.admin.RbacV1().RoleBindings("").List(ctx, options)
	require.NoError(c, err)
	for _, binding := range inNamespaces.Items {
		add(binding.Namespace, binding.Subjects, binding.RoleRef)
	}
	return all
}

func (c *cluster) rules(namespace string, ref rbacv1.RoleRef) []rbacv1.PolicyRule {
	c.Helper()
	if ref.Kind == "ClusterRole" {
		role, err := c.admin.RbacV1().ClusterRoles().Get(c.Context(), ref.Name, metav1.GetOptions{})
		require.NoError(c, err)
		return role.Rules
	}
	role, err := c.admin.RbacV1().Roles(namespace).Get(c.Context(), ref.Name, metav1.GetOptions{})
	require.NoError(c, err)
	return role.Rules
}

func granted(user, namespace string, rules []rbacv1.PolicyRule) []permission {
	var all []permission
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range names {
					for _, verb := range rule.Verbs {
						all = append(all, permission{user, namespace, group, resource, name, verb})
					}
				}
			}
		}
	}
	return all
}

// covers is whether a request needed this permission.
func (p permission) covers(e entry) bool {
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource = fmt.Sprintf("%s/%s", resource, e.ObjectRef.Subresource)
	}
	verb := e.Verb
	if p.verb == "list" && strings.Contains(e.RequestURI, "sendInitialEvents=true") {
		// A watch that begins with a list. API servers that don't stream it, as the
		// oldest ones, are asked for the list.
		verb = "list"
	}
	return p.user == e.User.Username && p.verb == verb && p.group == e.ObjectRef.APIGroup && p.resource == resource &&
		(p.namespace == "" || p.namespace == e.ObjectRef.Namespace) && (p.name == "" || p.name == e.ObjectRef.Name)
}
