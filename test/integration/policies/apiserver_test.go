package policies

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/manifests"
	"isolate.example.io/test/framework/waiting"
)

// apiServer is one test's API server, with clients of different users.
type apiServer struct {
	env *envtest.Environment
	// admin is the cluster's administrator.
	admin client.Client
	// editor can write pods in every way but not delete them.
	editor client.Client
	// owner can also delete them.
	owner client.Client
}

// startAPIServer starts an API server without isolate. As on OpenShift, changing a
// pod's owners requires permission to delete the pod.
func startAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{env: &envtest.Environment{BinaryAssetsDirectory: assets}}
	s.env.ControlPlane.GetAPIServer().Configure().
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		// With a watch cache the API server may admit a write twice, first on a stale
		// pod. Without it, admissions can be counted.
		Append("watch-cache-sizes", "pods#0")
	config, err := s.env.Start()
	t.Cleanup(func() {
		if err := s.env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	must(t, err)
	s.admin = newClient(t, config)
	editing := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "create", "update", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: []string{"update", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"pods/binding", "bindings"}, Verbs: []string{"create"}},
	}
	deleting := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"delete"}}
	s.editor = s.addUser(t, "editor", "patch", editing...)
	s.owner = s.addUser(t, "owner", "delete", append(editing, deleting)...)
	return s
}

// addUser creates a user with these permissions and waits until the authorizer
// grants the verb on pods.
func (s *apiServer) addUser(t *testing.T, name, verb string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	must(t, s.admin.Create(t.Context(), role))
	must(t, s.admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}))
	user, err := s.env.AddUser(envtest.User{Name: name}, nil)
	must(t, err)
	c := newClient(t, user.Config())
	eventually(t, "the API server authorizes "+name, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "default", Resource: "pods", Verb: verb},
		}}
		err := c.Create(ctx, review)
		return review.Status.Allowed, err
	})
	return c
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	// A client-side rate limit would distort the cost tests.
	config.QPS = -1
	c, err := client.New(config, client.Options{})
	must(t, err)
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// base returns the objects of manifests/base.
func base(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Build(t.Context(), filepath.Join(assets, "kubectl"), filepath.Join(root, "manifests"), "base")
	must(t, err)
	return objects
}

// install creates the objects of manifests/base, with the webhook, if any, in place
// of the shipped Service, and returns once they are effective.
func (s *apiServer) install(t *testing.T, webhook *fakeWebhook) {
	t.Helper()
	for _, object := range base(t) {
		if isWebhookConfiguration(object) {
			if webhook == nil {
				continue
			}
			webhook.answerFor(t, object)
		}
		must(t, s.admin.Create(t.Context(), object))
	}
	s.waitForPolicies(t)
	if webhook != nil {
		s.waitForWebhook(t, webhook)
	}
}

// waitForPolicies waits until each policy denies a write that it must deny.
func (s *apiServer) waitForPolicies(t *testing.T) {
	t.Helper()
	dry := client.NewDryRunClient(s.admin)
	target := s.create(t, newPod("default"))
	born := newPod("default")
	born.Labels[quarantine.QuarantinedLabel] = quarantine.QuarantinedValue
	refused := []func(context.Context) error{
		func(ctx context.Context) error { return dry.Create(ctx, born.DeepCopy()) },
		func(ctx context.Context) error {
			return writeStatus(ctx, dry, target.DeepCopy(), annotate(quarantine.ReasonKey, "probe"))
		},
		func(ctx context.Context) error {
			return bind(ctx, dry, target.DeepCopy(), annotate(quarantine.ReasonKey, "probe"))
		},
	}
	eventually(t, "the policies are effective", func(ctx context.Context) (bool, error) {
		return !slices.ContainsFunc(refused, func(write func(context.Context) error) bool { return write(ctx) == nil }), nil
	})
}

func (s *apiServer) waitForWebhook(t *testing.T, webhook *fakeWebhook) {
	t.Helper()
	target := s.create(t, newPod("default"))
	eventually(t, "the API server calls the webhook", func(ctx context.Context) (bool, error) {
		before := webhook.calls()
		err := mergePatch(ctx, client.NewDryRunClient(s.admin), target.DeepCopy(), annotate(quarantine.ReasonKey, "probe"))
		return webhook.calls() > before, err
	})
}

// subresources returns the subresources that take a whole pod and that this API server
// has: pods/resize came with Kubernetes 1.32.
func (s *apiServer) subresources(t *testing.T) map[string]write {
	t.Helper()
	core, err := discovery.NewDiscoveryClientForConfigOrDie(s.env.Config).ServerResourcesForGroupVersion("v1")
	must(t, err)
	writes := map[string]write{"pods/ephemeralcontainers": addEphemeralContainer, "pods/resize": resize}
	maps.DeleteFunc(writes, func(name string, _ write) bool {
		return !slices.ContainsFunc(core.APIResources, func(r metav1.APIResource) bool { return r.Name == name })
	})
	return writes
}

func isWebhookConfiguration(object *unstructured.Unstructured) bool {
	return object.GetKind() == "MutatingWebhookConfiguration" || object.GetKind() == "ValidatingWebhookConfiguration"
}

// asWebhookConfiguration converts an object of the manifests and fails on unknown fields.
func asWebhookConfiguration(t *testing.T, object *unstructured.Unstructured) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	typed := &admissionregistrationv1.MutatingWebhookConfiguration{}
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true))
	return typed
}

func (s *apiServer) create(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	must(t, s.admin.Create(t.Context(), pod))
	return pod
}

func (s *apiServer) read(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	stored := &corev1.Pod{}
	must(t, s.admin.Get(t.Context(), client.ObjectKeyFromObject(pod), stored))
	return stored
}

// eventually waits until the condition holds; an error ends the wait.
func eventually(t *testing.T, what string, condition wait.ConditionWithContextFunc) {
	t.Helper()
	waiting.Poll(t, condition, "%s", what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
