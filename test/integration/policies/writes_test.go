package policies

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// fieldManager is the manager of the tests' server-side apply.
const fieldManager = "tests"

// write sends changes of a pod and updates the pod with the API server's response.
type write func(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error

// ways are the ways in which people and tools write a pod's metadata.
var ways = map[string]write{
	"merge patch":           mergePatch,
	"strategic merge patch": strategicPatch,
	"JSON patch":            jsonPatch,
	"PUT":                   put,
	"server-side apply":     serverSideApply,
}

func mergePatch(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	before := pod.DeepCopy()
	all(changes...)(pod)
	return c.Patch(ctx, pod, client.MergeFrom(before))
}

func strategicPatch(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	before := pod.DeepCopy()
	all(changes...)(pod)
	return c.Patch(ctx, pod, client.StrategicMergeFrom(before))
}

func jsonPatch(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	before, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	all(changes...)(pod)
	after, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	operations, err := jsonpatch.CreatePatch(before, after)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	return c.Patch(ctx, pod, client.RawPatch(types.JSONPatchType, patch))
}

func put(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	all(changes...)(pod)
	return c.Update(ctx, pod)
}

// serverSideApply applies only isolate's annotations.
func serverSideApply(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	all(changes...)(pod)
	annotations := maps.Clone(pod.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return !strings.HasPrefix(key, quarantine.Domain) })
	applied, err := json.Marshal(map[string]any{
		"apiVersion": "v1",
		"kind":       "Pod",
		"metadata":   map[string]any{"name": pod.Name, "namespace": pod.Namespace, "annotations": annotations},
	})
	if err != nil {
		return err
	}
	return c.Patch(ctx, pod, client.RawPatch(types.ApplyPatchType, applied), client.FieldOwner(fieldManager), client.ForceOwnership)
}

// writeStatus patches the status, like kubelets and network plugins.
func writeStatus(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	before := pod.DeepCopy()
	all(changes...)(pod)
	return c.Status().Patch(ctx, pod, client.StrategicMergeFrom(before))
}

// putStatus updates the status, like older kubelets.
func putStatus(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	all(changes...)(pod)
	return c.Status().Update(ctx, pod)
}

// bind binds the pod to a node like the scheduler. The changes apply to the Binding's
// metadata, which is empty otherwise.
func bind(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	return c.SubResource("binding").Create(ctx, pod, binding(pod, changes...))
}

// bindOldStyle does the same through the resource bindings.
func bindOldStyle(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	return c.Create(ctx, binding(pod, changes...))
}

func binding(pod *corev1.Pod, changes ...change) *corev1.Binding {
	carrier := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}}
	all(changes...)(carrier)
	return &corev1.Binding{ObjectMeta: carrier.ObjectMeta, Target: corev1.ObjectReference{Kind: "Node", Name: "node-1"}}
}

func evict(ctx context.Context, c client.Client, pod *corev1.Pod, _ ...change) error {
	return c.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{})
}

func remove(ctx context.Context, c client.Client, pod *corev1.Pod, _ ...change) error {
	return c.Delete(ctx, pod)
}

func addEphemeralContainer(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	all(changes...)(pod)
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "example.com/debug:1"},
	})
	return c.SubResource("ephemeralcontainers").Update(ctx, pod)
}

func resize(ctx context.Context, c client.Client, pod *corev1.Pod, changes ...change) error {
	all(changes...)(pod)
	return c.SubResource("resize").Update(ctx, pod)
}
