package kyverno

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/shop"
	"isolate.example.io/test/gen"
)

// compromised is the label that the example's policy acts on.
const compromised = "security.example.com/compromised"

const scanner = "scanner@example.com"

// label sets a label of a pod as the scanner does, and returns when the write was sent.
func label(t *testing.T, s *shop.Shop, pod, key string) time.Time {
	t.Helper()
	config := cluster.UserConfig(scanner, "system:masters")
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	sent := time.Now()
	_, err = client.CoreV1().Pods(s.Namespace).Patch(t.Context(), pod, types.MergePatchType,
		fmt.Appendf(nil, `{"metadata": {"labels": {%q: "true"}}}`, key), metav1.PatchOptions{})
	require.NoError(t, err)
	return sent
}

// annotate sets an annotation, or removes it if the value is null.
func annotate(t *testing.T, s *shop.Shop, pod, key, value string) error {
	t.Helper()
	_, err := admin.CoreV1().Pods(s.Namespace).Patch(t.Context(), pod, types.MergePatchType,
		fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %s}}}`, key, value), metav1.PatchOptions{})
	return err
}

// release releases a pod.
func release(t *testing.T, s *shop.Shop, pod string) {
	t.Helper()
	require.NoError(t, annotate(t, s, pod, quarantine.TriggerKey, "null"))
	require.NotContains(t, s.Quarantined(), pod)
}

func TestLabelledPodIsQuarantined(t *testing.T) {
	t.Parallel()
	const pods = 5
	s := shop.Open(t, admin, pods)
	var times []time.Duration
	for _, pod := range s.Serving() {
		sent := label(t, s, pod, compromised)
		stored := s.UntilOut(pod)
		times = append(times, time.Since(sent))
		require.Equal(t, "labelled as compromised by "+scanner, stored.Annotations[quarantine.ReasonKey])
		require.Equal(t, "system:serviceaccount:kyverno:kyverno-background-controller", stored.Annotations[quarantine.QuarantinedByKey])
	}
	slices.Sort(times)
	t.Logf("from the label to out of traffic: median %s, longest %s, of %d pods", times[pods/2], times[pods-1], pods)
}

// One of twenty pods is labelled. Another one, which was labelled before and is released,
// stays as it is.
func TestOnlyTheLabelledPodIsQuarantined(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 20)
	pods := s.Serving()
	label(t, s, pods[0], compromised)
	s.UntilOut(pods[0])
	release(t, s, pods[0])
	label(t, s, pods[1], compromised)
	s.UntilOut(pods[1])
	require.Equal(t, []string{pods[1]}, s.Quarantined())
}

// A released pod still has the label. Neither the release, nor another write, nor a change of
// the policy quarantines it again.
func TestReleasedPodStaysReleased(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Serving()[0]
	label(t, s, pod, compromised)
	s.UntilOut(pod)
	release(t, s, pod)
	require.NoError(t, annotate(t, s, pod, "example.com/note", `"false alarm"`))
	evaluateAll(t, s.Namespace, pod)
	require.Empty(t, s.Quarantined())
	require.Equal(t, "true", s.Pod(pod).Labels[compromised])
}

// A Service selects by the label, so isolate rewrites it, and restores it at the release.
func TestRestoredLabelQuarantinesNothing(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	_, err := admin.CoreV1().Services(s.Namespace).Create(t.Context(), gen.Service("compromised", map[string]string{compromised: "true"}), metav1.CreateOptions{})
	require.NoError(t, err)
	pod := s.Serving()[0]
	label(t, s, pod, compromised)
	until(t, func() bool { return s.Pod(pod).Labels[compromised] == "quarantined-true" }, "isolate rewrites the label")
	release(t, s, pod)
	require.Equal(t, "true", s.Pod(pod).Labels[compromised])
	evaluateAll(t, s.Namespace, pod)
	require.Empty(t, s.Quarantined())
}

// The tests above can fail: without either condition, a released pod is quarantined again.
func TestPolicyWithoutItsConditionsQuarantinesAgain(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{"matchConditions", "targetMatchConditions"} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			name := "without-" + strings.ToLower(condition)
			key := "security.example.com/" + name
			policy := shippedPolicy(t)
			policy.SetName(name)
			spec := policy.Object["spec"].(map[string]any)
			delete(spec, condition)
			set(t, policy, map[string]any{"matchLabels": map[string]any{key: "true"}}, "spec", "matchConstraints", "objectSelector")
			// An evaluation without a request can't name a user, and would end with that error.
			set(t, policy, []any{map[string]any{
				"patchType":          "ApplyConfiguration",
				"applyConfiguration": map[string]any{"expression": `Object{metadata: Object.metadata{annotations: {"isolate.example.io/quarantine": "true"}}}`},
			}}, "spec", "mutations")
			apply(t, policy)
			s := shop.Open(t, admin, 1)
			pod := s.Serving()[0]
			label(t, s, pod, key)
			s.UntilOut(pod)
			require.NoError(t, annotate(t, s, pod, quarantine.TriggerKey, "null"))
			change(t, name)
			s.UntilOut(pod)
		})
	}
}

func set(t *testing.T, policy *unstructured.Unstructured, value any, fields ...string) {
	t.Helper()
	require.NoError(t, unstructured.SetNestedField(policy.Object, value, fields...))
}

// A removed and repeated label is a new finding.
func TestLabelSetAgainQuarantinesAgain(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Serving()[0]
	label(t, s, pod, compromised)
	s.UntilOut(pod)
	release(t, s, pod)
	_, err := admin.CoreV1().Pods(s.Namespace).Patch(t.Context(), pod, types.MergePatchType,
		fmt.Appendf(nil, `{"metadata": {"labels": {%q: null}}}`, compromised), metav1.PatchOptions{})
	require.NoError(t, err)
	label(t, s, pod, compromised)
	s.UntilOut(pod)
}

// A new pod that has the label from its template is not quarantined: its replacement would be too.
func TestTemplateWithTheLabelQuarantinesNothing(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	labels := map[string]string{"app": "labelled", compromised: "true"}
	_, err := admin.AppsV1().Deployments(s.Namespace).Create(t.Context(), gen.Deployment("labelled", 1, labels), metav1.CreateOptions{})
	require.NoError(t, err)
	var pod string
	until(t, func() bool {
		if pods := s.Pods("app=labelled"); len(pods) == 1 {
			pod = pods[0].Name
		}
		return pod != ""
	}, "the pod exists")
	require.NoError(t, annotate(t, s, pod, "example.com/note", `"started"`))
	evaluateAll(t, s.Namespace, pod)
	require.Empty(t, s.Quarantined())
}
