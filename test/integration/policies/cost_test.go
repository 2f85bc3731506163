package policies

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

const (
	// rounds is the number of measurements per write, alternating with and without
	// isolate. The fastest counts, because other load only makes a write slower.
	rounds = 2
	// timesAsMuch and mayCost together bound the additional time of a write with isolate
	// installed. An expression that iterates over a pod's maps takes forty times as long.
	timesAsMuch = 4
	mayCost     = time.Second
	// many is the number of annotations or labels that a stored pod can have: all
	// annotations are limited to 256 KiB, and the object to 1.5 MiB.
	many = 80_000
)

// shapes are pods as large as the API server accepts. Anyone who can create pods can
// create these.
var shapes = map[string]change{
	"many annotations with a prefix": func(pod *corev1.Pod) {
		for key := range entries(20_000, "") {
			pod.Annotations["x.y/"+key] = ""
		}
	},
	"many annotations": func(pod *corev1.Pod) { maps.Copy(pod.Annotations, entries(many, "")) },
	"many labels":      func(pod *corev1.Pod) { maps.Copy(pod.Labels, entries(many, "")) },
	"many of both": func(pod *corev1.Pod) {
		maps.Copy(pod.Annotations, entries(many/2, ""))
		maps.Copy(pod.Labels, entries(many/2, ""))
	},
	"long labels": func(pod *corev1.Pod) { maps.Copy(pod.Labels, entries(8_000, strings.Repeat("v", 63))) },
	"one long annotation": func(pod *corev1.Pod) {
		pod.Annotations["example.com/long"] = strings.Repeat("v", 255<<10)
	},
	"many owners": func(pod *corev1.Pod) {
		for i := range 8_000 {
			pod.OwnerReferences = append(pod.OwnerReferences, metav1.OwnerReference{
				APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprint("c", i), UID: types.UID(strconv.Itoa(i)),
			})
		}
	},
	"many annotations, held": all(hold, func(pod *corev1.Pod) { maps.Copy(pod.Annotations, entries(many, "")) }),
}

// entries returns n entries with keys as short as possible.
func entries(n int, value string) map[string]string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	m := make(map[string]string, n)
	for i := range n {
		m[string([]byte{letters[i%62], letters[i/62%62], letters[i/62/62%62]})] = value
	}
	return m
}

// costs are the shortest durations, by shape and write.
type costs map[string]time.Duration

func TestLargePodsStayWithinCELCost(t *testing.T) {
	without, with := startAPIServer(t), startAPIServer(t)
	with.install(t, startFakeWebhook(t))
	before, after := costs{}, costs{}
	for shape, c := range shapes {
		for range rounds {
			measure(t, without, before, shape, c)
			measure(t, with, after, shape, c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		t.Logf("%-50s %6d ms without isolate, %6d ms with", name, before[name].Milliseconds(), after[name].Milliseconds())
		if after[name] > timesAsMuch*before[name]+mayCost {
			t.Errorf("%s: takes %s with isolate, %s without", name, after[name], before[name])
		}
	}
}

// measure times writes of a pod that the expressions are evaluated for.
func measure(t *testing.T, s *apiServer, into costs, shape string, large change) {
	t.Helper()
	pod := newPod("default", func(pod *corev1.Pod) { pod.ManagedFields = []metav1.ManagedFieldsEntry{{}} }, large)
	for _, step := range []struct {
		name  string
		write func(*corev1.Pod) error
	}{
		{"create", func(pod *corev1.Pod) error { return s.editor.Create(t.Context(), pod) }},
		{"add a label", func(pod *corev1.Pod) error { return patch(t, s.editor, pod, `{"metadata":{"labels":{"extra":"x"}}}`) }},
		{"new image", func(pod *corev1.Pod) error {
			return patch(t, s.editor, pod, `{"spec":{"containers":[{"name":"web","image":"example.com/web:2"}]}}`)
		}},
		{"status", func(pod *corev1.Pod) error {
			return s.editor.Status().Patch(t.Context(), pod, client.RawPatch(types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`)))
		}},
		{"quarantine", func(pod *corev1.Pod) error {
			return patch(t, s.owner, pod, `{"metadata":{"annotations":{"`+quarantine.TriggerKey+`":"true"}}}`)
		}},
	} {
		start := time.Now()
		if err := step.write(pod); err != nil {
			t.Fatalf("%s, %s: %v", shape, step.name, err)
		}
		name, took := shape+", "+step.name, time.Since(start)
		if best, ok := into[name]; !ok || took < best {
			into[name] = took
		}
	}
	s.remove(t, pod)
}

func patch(t *testing.T, c client.Client, pod *corev1.Pod, body string) error {
	return c.Patch(t.Context(), pod, client.RawPatch(types.StrategicMergePatchType, []byte(body)))
}
