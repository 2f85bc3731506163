package policies

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/webhook"
	"isolate.example.io/webhook/budget"
)

// sameMachine is the time of an API server on this machine.
type sameMachine struct{}

func (sameMachine) Server() (time.Time, error) { return time.Now(), nil }

// startIsolate starts isolate's own webhook in this process, with this watcher.
func (s *apiServer) startIsolate(t *testing.T, watcher *selectors.Watcher) *fakeWebhook {
	t.Helper()
	meta, err := metadata.NewForConfig(s.env.Config)
	must(t, err)
	ours := &fakeWebhook{}
	config := quarantine.DefaultConfig()
	metrics, err := webhook.NewMetrics(prometheus.NewRegistry())
	must(t, err)
	tracker := budget.NewTracker(meta, clock.RealClock{})
	namespaces := webhook.NewNamespaceConfigs(meta, config, logr.Discard(), metrics)
	run(t, tracker.Start)
	run(t, namespaces.Start)
	eventually(t, "pods and namespaces are read", func(context.Context) (bool, error) {
		return tracker.Ready(nil) == nil && namespaces.Ready(nil) == nil, nil
	})
	handler := webhook.NewHandler(webhook.Handler{
		Config:           config,
		Selectors:        watcher,
		Budgets:          tracker,
		NamespaceConfigs: namespaces,
		Time:             sameMachine{},
		Metrics:          metrics,
		Clock:            clock.RealClock{},
	})
	mux := http.NewServeMux()
	mux.HandleFunc(webhook.Path, func(w http.ResponseWriter, r *http.Request) {
		ours.reviews.Add(1)
		handler.ServeHTTP(w, r)
	})
	mux.Handle(webhook.ValidatePath, handler)
	ours.server = httptest.NewTLSServer(mux)
	t.Cleanup(ours.server.Close)
	return ours
}

func newWatcher(t *testing.T, s *apiServer) *selectors.Watcher {
	t.Helper()
	return watcherFor(t, s.env.Config).WithNetworkPolicies().WithEndpointSlices()
}

func watcherFor(t *testing.T, config *rest.Config) *selectors.Watcher {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	must(t, err)
	watcher, err := selectors.NewWatcher(config, client)
	must(t, err)
	return watcher
}

// watch runs the watcher until the test ends.
func watch(t *testing.T, watcher *selectors.Watcher) {
	t.Helper()
	run(t, watcher.Start)
}

// run runs a component of the webhook until the test ends.
func run(t *testing.T, start func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
}

func waitReady(t *testing.T, watcher *selectors.Watcher) {
	t.Helper()
	eventually(t, "all kinds are read", func(context.Context) (bool, error) { return watcher.Ready(nil) == nil, nil })
}

func selects(name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec:       corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// The second webhook changes the pod after isolate's, like a service mesh or a policy
// engine. The API server then calls isolate's webhook again, with its own result.
func TestReinvocationAfterAnotherWebhook(t *testing.T) {
	s := startAPIServer(t)
	watcher := newWatcher(t, s)
	watch(t, watcher)
	waitReady(t, watcher)
	s.withoutBudgets(t)
	ours := s.startIsolate(t, watcher)
	s.install(t, ours)
	must(t, s.admin.Create(t.Context(), selects("web", map[string]string{"app": "web"})))
	must(t, s.admin.Create(t.Context(), selects("canary", map[string]string{"track": "canary"})))
	eventually(t, "the webhook knows the Services", func(context.Context) (bool, error) {
		known, err := watcher.Namespace("default")
		return err == nil && known.Lookup(quarantine.KindService, "web") != nil && known.Lookup(quarantine.KindService, "canary") != nil, err
	})
	const selected = "the mesh sets a label that is selected"
	const mesh = "/metadata/annotations/mesh.example.com~1injected"
	later := startWebhook(t, func(_, after *corev1.Pod) []jsonpatch.Operation {
		if after.Labels[quarantine.QuarantinedLabel] == "" || after.Annotations["mesh.example.com/injected"] != "" {
			return nil
		}
		operations := []jsonpatch.Operation{
			jsonpatch.NewOperation("add", mesh, "true"),
			jsonpatch.NewOperation("add", "/metadata/labels/mesh", "on"),
		}
		if after.Annotations[quarantine.ReasonKey] == selected {
			operations = append(operations, jsonpatch.NewOperation("add", "/metadata/labels/track", "canary"))
		}
		return operations
	})
	must(t, s.admin.Create(t.Context(), laterConfiguration(later)))
	s.waitForWebhook(t, later)

	for way, write := range ways {
		t.Run(way, func(t *testing.T) {
			pod := s.free(t)
			before := ours.calls()
			must(t, write(t.Context(), s.owner, pod.DeepCopy(), all(trigger, annotate(quarantine.TTLKey, "1h"), annotate(quarantine.ForceKey, "true"))))
			require.Equal(t, int64(2), ours.calls()-before, "ours is asked again")
			stored := s.read(t, pod)
			status := quarantine.StatusOf(stored.Labels, stored.Annotations)
			require.Equal(t, quarantine.Quarantined, status.State, "%v", status.Problem)
			require.Equal(t, "true", stored.Annotations["mesh.example.com/injected"])
			require.Equal(t, "quarantined-web", stored.Labels["app"])
			require.Equal(t, "on", stored.Labels["mesh"])
			require.Equal(t, "web", status.Record.Labels["app"])
			require.Len(t, status.Record.OwnerReferences, 1)
			require.True(t, status.Record.Forced)
			require.NotContains(t, stored.Annotations, quarantine.ForceKey)
			require.Empty(t, stored.OwnerReferences)

			overridden := s.free(t)
			must(t, write(t.Context(), s.owner, overridden.DeepCopy(), all(trigger, annotate(quarantine.ReasonKey, selected))))
			stored = s.read(t, overridden)
			require.Equal(t, quarantine.Quarantined, quarantine.StatusOf(stored.Labels, stored.Annotations).State)
			require.NotContains(t, stored.Labels, "track")
		})
	}
}

// Until its caches are synced, the webhook denies every quarantine.
func TestRequestsAreDeniedUntilSelectorsAreSynced(t *testing.T) {
	s := startAPIServer(t)
	watcher := newWatcher(t, s)
	ours := s.startIsolate(t, watcher)
	for _, object := range base(t) {
		if isWebhookConfiguration(object) {
			ours.answerFor(t, object)
		}
		must(t, s.admin.Create(t.Context(), object))
	}
	pod := s.create(t, newPod("default"))
	var refused error
	eventually(t, "the API server calls the webhook", func(ctx context.Context) (bool, error) {
		refused = mergePatch(ctx, s.owner, pod.DeepCopy(), trigger)
		return refused != nil, nil
	})
	const want = `admission webhook "pods.isolate.example.io" denied the request: ` +
		"isolate does not know yet what selects this pod; nothing was changed, retry: reading services: not read yet"
	eventually(t, "the answer names the reason", func(ctx context.Context) (bool, error) {
		refused = mergePatch(ctx, s.owner, pod.DeepCopy(), trigger)
		return refused != nil && refused.Error() == want, nil
	})
	require.Equal(t, pod.ResourceVersion, s.read(t, pod).ResourceVersion)

	watch(t, watcher)
	waitReady(t, watcher)
	must(t, mergePatch(t.Context(), s.owner, pod, trigger))
	require.Equal(t, quarantine.QuarantinedValue, pod.Labels[quarantine.QuarantinedLabel])
}

// A kind that the webhook can't list is an error that names it, until it can.
func TestForbiddenKindIsReported(t *testing.T) {
	s := startAPIServer(t)
	reading := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "replicationcontrollers"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"apps"}, Resources: []string{"replicasets", "statefulsets", "daemonsets"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"list", "watch"}},
	}
	s.addUser(t, "reader", "get", append(reading, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}})...)
	user, err := s.env.AddUser(envtest.User{Name: "reader"}, nil)
	must(t, err)
	watcher := watcherFor(t, user.Config())
	watch(t, watcher)

	eventually(t, "the error names the kind", func(context.Context) (bool, error) {
		_, err := watcher.Namespace("default")
		return err != nil && err.Error() == `reading poddisruptionbudgets: poddisruptionbudgets.policy is forbidden: User "reader" `+
			`cannot list resource "poddisruptionbudgets" in API group "policy" at the cluster scope`, nil
	})
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}
	role.Rules = append(slices.Clone(reading), rbacv1.PolicyRule{APIGroups: []string{"policy"}, Resources: []string{"poddisruptionbudgets"}, Verbs: []string{"list", "watch"}})
	must(t, s.admin.Patch(t.Context(), role, client.Merge))
	waitReady(t, watcher)
}

// The index follows objects as they are created, changed and deleted.
func TestIndexFollowsTheCluster(t *testing.T) {
	s := startAPIServer(t)
	watcher := newWatcher(t, s)
	watch(t, watcher)
	waitReady(t, watcher)
	matching := func(value string) bool {
		known, err := watcher.Namespace("default")
		must(t, err)
		return len(known.Matching(map[string]string{"app": value})) > 0
	}
	becomes := func(value string, want bool) {
		t.Helper()
		eventually(t, "the index has the change", func(context.Context) (bool, error) { return matching(value) == want, nil })
	}
	service := selects("web", map[string]string{"app": "web"})
	must(t, s.admin.Create(t.Context(), service))
	becomes("web", true)
	service.Spec.Selector = map[string]string{"app": "api"}
	must(t, s.admin.Update(t.Context(), service))
	becomes("web", false)
	becomes("api", true)
	must(t, s.admin.Delete(t.Context(), service))
	becomes("api", false)
}
