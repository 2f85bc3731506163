package contract

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

var web = map[string]string{"app": "web"}

// The page's table of refusals is the code's, and isolate's answers have the page's codes.
func TestPageListsRefusals(t *testing.T) {
	t.Parallel()
	var rows []string
	for _, refusal := range quarantine.Refusals() {
		later := refusal.Later
		if later == "" {
			later = "never"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %d | %s | %s |", refusal.Reason, codes[refusal.Reason], refusal.Refused, later))
	}
	_, table, found := strings.Cut(section(t, "## What to expect back"), "| reason | code | refused | later |\n|---|---|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	require.Equal(t, rows, strings.Split(strings.TrimSpace(table), "\n"))
}

// codes are those of isolate's answers, which TestAnswers reads.
var codes = map[quarantine.Reason]int{
	quarantine.ReasonMirrorPod:           http.StatusForbidden,
	quarantine.ReasonInescapable:         http.StatusForbidden,
	quarantine.ReasonAnnotationsTooLarge: http.StatusForbidden,
	quarantine.ReasonStatefulSet:         http.StatusForbidden,
	quarantine.ReasonHostPort:            http.StatusForbidden,
	quarantine.ReasonUnknownController:   http.StatusForbidden,
	quarantine.ReasonControllerBudget:    http.StatusForbidden,
	quarantine.ReasonNamespaceBudget:     http.StatusForbidden,
	quarantine.ReasonHeld:                http.StatusForbidden,
	quarantine.ReasonReattached:          http.StatusForbidden,
	quarantine.ReasonRecordProtected:     http.StatusForbidden,
	quarantine.ReasonInvalidValue:        http.StatusUnprocessableEntity,
	quarantine.ReasonMisplacedKey:        http.StatusUnprocessableEntity,
	quarantine.ReasonCreatedQuarantined:  http.StatusUnprocessableEntity,
}

// place is the namespace of one refusal.
type place struct {
	*testing.T
	namespace string
}

// answers are what each refusal needs: the objects, of which one is a pod called web or whose
// pods have the label app=web, and the write. The write that quarantines is the default.
var answers = map[quarantine.Reason]struct {
	namespace gen.Option
	create    func(p place)
	write     func(p place, pod string) error
}{
	quarantine.ReasonMirrorPod: {create: func(p place) {
		p.pod(gen.Annotation(corev1.MirrorPodAnnotationKey, "x"), func(pod metav1.Object) { pod.(*corev1.Pod).Spec.NodeName = "node-0" })
	}},
	quarantine.ReasonInescapable: {create: func(p place) {
		set := gen.ReplicaSet("web", 1, web, metav1.LabelSelectorRequirement{Key: "none", Operator: metav1.LabelSelectorOpDoesNotExist})
		_, err := admin.AppsV1().ReplicaSets(p.namespace).Create(p.Context(), set, metav1.CreateOptions{})
		require.NoError(p, err)
	}},
	quarantine.ReasonAnnotationsTooLarge: {create: func(p place) { p.pod(gen.Annotation("large", strings.Repeat("x", 262_100))) }},
	quarantine.ReasonStatefulSet: {create: func(p place) {
		_, err := admin.AppsV1().StatefulSets(p.namespace).Create(p.Context(), gen.StatefulSet("web", web), metav1.CreateOptions{})
		require.NoError(p, err)
	}},
	quarantine.ReasonHostPort: {create: func(p place) {
		set := gen.DaemonSet("web", web)
		set.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080}}
		_, err := admin.AppsV1().DaemonSets(p.namespace).Create(p.Context(), set, metav1.CreateOptions{})
		require.NoError(p, err)
	}},
	quarantine.ReasonUnknownController: {create: func(p place) {
		owner, err := admin.CoreV1().ConfigMaps(p.namespace).Create(p.Context(), &corev1.ConfigMap{ObjectMeta: gen.Meta("owner")}, metav1.CreateOptions{})
		require.NoError(p, err)
		p.pod(gen.Controller("v1", "ConfigMap", owner.Name, owner.UID))
	}},
	quarantine.ReasonControllerBudget: {namespace: gen.Annotation(quarantine.ControllerBudgetKey, "1"), create: func(p place) {
		_, err := admin.AppsV1().Deployments(p.namespace).Create(p.Context(), gen.Deployment("web", 2, web), metav1.CreateOptions{})
		require.NoError(p, err)
		require.NoError(p, p.annotate(p.running(2)[0], quarantine.TriggerKey, quarantine.True))
	}},
	quarantine.ReasonNamespaceBudget: {namespace: gen.Annotation(quarantine.NamespaceBudgetKey, "1"), create: func(p place) {
		p.pod()
		first := gen.Pod("first")
		_, err := admin.CoreV1().Pods(p.namespace).Create(p.Context(), first, metav1.CreateOptions{})
		require.NoError(p, err)
		require.NoError(p, p.annotate(first.Name, quarantine.TriggerKey, quarantine.True))
	}},
	quarantine.ReasonHeld: {create: func(p place) {
		_, err := admin.AppsV1().Deployments(p.namespace).Create(p.Context(), gen.Deployment("web", 1, web), metav1.CreateOptions{})
		require.NoError(p, err)
	}, write: func(p place, pod string) error {
		if err := p.annotate(pod, quarantine.TriggerKey, quarantine.True, quarantine.HoldKey, quarantine.True); err != nil {
			return err
		}
		return p.annotate(pod, quarantine.TriggerKey, "false")
	}},
	quarantine.ReasonInvalidValue: {create: func(p place) { p.pod() }, write: func(p place, pod string) error {
		return p.annotate(pod, quarantine.TriggerKey, quarantine.True, quarantine.TTLKey, "soon")
	}},
	quarantine.ReasonMisplacedKey: {create: func(p place) { p.pod() }, write: func(p place, pod string) error {
		return p.patch(pod, fmt.Sprintf(`{"metadata": {"labels": {%q: "true"}}}`, quarantine.TriggerKey))
	}},
	quarantine.ReasonRecordProtected: {create: func(p place) { p.pod() }, write: func(p place, pod string) error {
		return p.annotate(pod, quarantine.ExpiresAtKey, "2040-01-01T00:00:00Z")
	}},
	quarantine.ReasonCreatedQuarantined: {create: func(p place) { p.pod() }, write: func(p place, _ string) error {
		_, err := admin.CoreV1().Pods(p.namespace).Create(p.Context(), gen.Pod("born", gen.Label(quarantine.QuarantinedLabel, quarantine.QuarantinedValue)), metav1.CreateOptions{})
		return err
	}},
}

// A refusal is a 403 whose cause is its reason, or a 422 whose causes name the fields.
// Reattached is missing: it takes other people's webhooks, which test/e2e/admission has.
func TestAnswers(t *testing.T) {
	t.Parallel()
	require.Len(t, answers, len(quarantine.Refusals())-1)
	for reason, answer := range answers {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "answer-"}}
			if answer.namespace != nil {
				answer.namespace(namespace)
			}
			namespace, err := admin.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
			require.NoError(t, err)
			p := place{t, namespace.Name}
			answer.create(p)
			pod := p.running(1)[0]
			write := answer.write
			if write == nil {
				write = place.refusedQuarantine
			}
			var status *apierrors.StatusError
			require.ErrorAs(t, write(p, pod), &status)
			require.EqualValues(t, codes[reason], status.ErrStatus.Code, status.Error())
			require.NotEmpty(t, status.ErrStatus.Details.Causes)
			cause := status.ErrStatus.Details.Causes[0]
			if codes[reason] == http.StatusForbidden {
				require.EqualValues(t, reason, cause.Type)
			}
			require.True(t, strings.HasPrefix(cause.Field, "metadata"), "the cause names the field: %v", cause)
			t.Logf("%d %s %s: %s", status.ErrStatus.Code, cause.Type, cause.Field, cause.Message)
		})
	}
}

func (p place) pod(options ...gen.Option) {
	p.Helper()
	_, err := admin.CoreV1().Pods(p.namespace).Create(p.Context(), gen.Pod("web", append(options, gen.Labels(web))...), metav1.CreateOptions{})
	require.NoError(p, err)
}

// running waits until this many pods with the label app=web exist, and returns their names.
func (p place) running(count int) []string {
	p.Helper()
	var names []string
	waiting.Until(p, func() bool {
		pods, err := admin.CoreV1().Pods(p.namespace).List(p.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		names = nil
		for i := range pods.Items {
			names = append(names, pods.Items[i].Name)
		}
		return err == nil && len(names) >= count
	}, "%d pods exist", count)
	return names
}

// annotate sets annotations, given as keys and values, in one merge patch.
func (p place) annotate(pod string, pairs ...string) error {
	p.Helper()
	var annotations []string
	for i := 0; i < len(pairs); i += 2 {
		annotations = append(annotations, fmt.Sprintf("%q: %q", pairs[i], pairs[i+1]))
	}
	return p.patch(pod, fmt.Sprintf(`{"metadata": {"annotations": {%s}}}`, strings.Join(annotations, ", ")))
}

// refusedQuarantine returns the refusal of a quarantine. The webhook may not know the new
// objects yet, so this waits for it.
func (p place) refusedQuarantine(pod string) (refusal error) {
	p.Helper()
	waiting.Until(p, func() bool {
		_, refusal = admin.CoreV1().Pods(p.namespace).Patch(p.Context(), pod, types.MergePatchType,
			fmt.Appendf(nil, `{"metadata": {"annotations": {%q: "true"}}}`, quarantine.TriggerKey), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return refusal != nil && !apierrors.IsInternalError(refusal)
	}, "the quarantine of pod %s is refused", pod)
	return refusal
}

func (p place) patch(pod, patch string) error {
	return mergePatch(p.Context(), admin, p.namespace, pod, patch)
}

// mergePatch tries again while isolate can't decide, as the page says.
func mergePatch(ctx context.Context, client kubernetes.Interface, namespace, pod, patch string) error {
	return retry.OnError(retry.DefaultBackoff, apierrors.IsInternalError, func() error {
		_, err := client.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	})
}
