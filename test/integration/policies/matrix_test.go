package policies

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// matrix is an API server with isolate's real webhook and policies, with everything
// that attempts combine.
type matrix struct {
	server *apiServer
	paths  map[string]writePath
	users  map[string]user
	states map[string]func() *corev1.Pod
	tried  atomic.Int64
}

// damagedPods is the number of pods with the label but without a record. They are
// created before isolate is installed: afterwards nobody can create them.
const damagedPods = 300

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	s := startAPIServer(t)
	damaged := make(chan *corev1.Pod, damagedPods)
	for range damagedPods {
		pod := newPod("default", dropOwners, setLabel, label("app", "quarantined-web"), label("damaged", ""))
		s.create(t, pod)
		must(t, serverSideApply(t.Context(), s.admin, pod, all(trigger, annotate(quarantine.ExpiresAtKey, "2100-01-01T00:00:00Z"))))
		damaged <- s.read(t, pod)
	}
	watcher := newWatcher(t, s)
	watch(t, watcher)
	waitReady(t, watcher)
	s.withoutBudgets(t)
	must(t, s.admin.Create(t.Context(), selects("web", map[string]string{"app": "web"})))
	eventually(t, "the webhook knows the Service", func(context.Context) (bool, error) {
		known, err := watcher.Namespace("default")
		return err == nil && known.Lookup(quarantine.KindService, "web") != nil, err
	})
	s.install(t, s.startIsolate(t, watcher))
	return &matrix{
		server: s, paths: writePaths(s, t), users: users(s, t),
		states: map[string]func() *corev1.Pod{
			"free":        func() *corev1.Pod { return s.free(t) },
			"quarantined": func() *corev1.Pod { return s.quarantined(t) },
			"held":        func() *corev1.Pod { return s.quarantined(t, hold) },
			"deleting":    func() *corev1.Pod { return s.deleting(t) },
			"damaged": func() *corev1.Pod {
				select {
				case pod := <-damaged:
					return pod
				default:
					t.Fatal("no damaged pods are left")
					return nil
				}
			},
		},
	}
}

// withoutBudgets removes the limits on quarantined pods.
func (s *apiServer) withoutBudgets(t *testing.T) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	must(t, s.admin.Patch(t.Context(), namespace, client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"`+quarantine.ControllerBudgetKey+`":"0","`+quarantine.NamespaceBudgetKey+`":"0"}}}`))))
}

// applyMetadata applies isolate's annotations and the new labels and owners.
func applyMetadata(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	return applied(ctx, c, pod, nil, nil, changes...)
}

// applyStatus does the same through pods/status.
func applyStatus(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	return applied(ctx, c, pod, map[string]any{"message": "applied"}, []string{"status"}, changes...)
}

func applied(ctx context.Context, c client.Client, pod *corev1.Pod, status any, subresource []string, changes ...change) error {
	before := pod.DeepCopy()
	all(changes...)(pod)
	annotations, labels := maps.Clone(pod.Annotations), maps.Clone(pod.Labels)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return !strings.HasPrefix(key, quarantine.Domain) })
	maps.DeleteFunc(labels, func(key, value string) bool { return before.Labels[key] == value && key != quarantine.QuarantinedLabel })
	metadata := map[string]any{"name": pod.Name, "namespace": pod.Namespace, "annotations": annotations, "labels": labels}
	if len(pod.OwnerReferences) > len(before.OwnerReferences) {
		metadata["ownerReferences"] = pod.OwnerReferences
	}
	object := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
	if status != nil {
		object["status"] = status
	}
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	patch := client.RawPatch(types.ApplyPatchType, data)
	if len(subresource) > 0 {
		return c.Status().Patch(ctx, pod, patch, client.FieldOwner(fieldManager), client.ForceOwnership)
	}
	return c.Patch(ctx, pod, patch, client.FieldOwner(fieldManager), client.ForceOwnership)
}
