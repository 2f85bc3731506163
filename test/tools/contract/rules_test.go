package contract

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/shop"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

const (
	trigger  = `{"metadata": {"annotations": {"isolate.example.io/quarantine": "true"}}}`
	heldOnce = `{"metadata": {"annotations": {"isolate.example.io/quarantine": "true", "isolate.example.io/hold": "true", "isolate.example.io/ttl": "1s"}}}`
	expiring = `{"metadata": {"annotations": {"isolate.example.io/quarantine": "true", "isolate.example.io/ttl": "2s"}}}`
	unhold   = `{"metadata": {"annotations": {"isolate.example.io/hold": null}}}`
)

// The programs of the page take this for a refusal too.
func TestMissingPermissionIsA403WithoutReason(t *testing.T) {
	t.Parallel()
	for _, verbs := range [][]string{{"patch"}, {"delete"}} {
		s := shop.Open(t, admin, 1)
		config := detector(t.Context(), t, s.Namespace, verbs...)
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		err = mergePatch(t.Context(), client, s.Namespace, s.Serving()[0], trigger)
		require.True(t, apierrors.IsForbidden(err), "%v", err)
		for _, cause := range causes(t, err) {
			require.Empty(t, cause.Type)
		}
		for language, program := range programs {
			out, code := run(t, func() *exec.Cmd { return program.command(t, config) }, s.Namespace, s.Serving()[0])
			require.Equal(t, exitRefused, code, "%s: %s", language, out)
		}
	}
}

func TestUIDOfAnotherPodIsA422(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Pod(s.Serving()[0])
	patch := `{"metadata": {"uid": %q, "annotations": {"isolate.example.io/quarantine": "true"}}}`
	err := mergePatch(t.Context(), admin, s.Namespace, pod.Name, fmt.Sprintf(patch, "b5a1e2b4-0000-4000-8000-000000000000"))
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.Equal(t, "metadata.uid", causes(t, err)[0].Field)
	require.Empty(t, s.Quarantined())
	require.NoError(t, mergePatch(t.Context(), admin, s.Namespace, pod.Name, fmt.Sprintf(patch, pod.UID)))
	s.UntilOut(pod.Name)
}

// causes returns the causes in the API server's answer.
func causes(t *testing.T, err error) []metav1.StatusCause {
	t.Helper()
	var status *apierrors.StatusError
	require.ErrorAs(t, err, &status)
	return status.ErrStatus.Details.Causes
}

func TestRepeatingChangesNothing(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Serving()[0]
	require.NoError(t, mergePatch(t.Context(), admin, s.Namespace, pod, trigger))
	before := s.UntilOut(pod)
	require.NoError(t, mergePatch(t.Context(), admin, s.Namespace, pod, trigger))
	require.Equal(t, before.Annotations, s.Pod(pod).Annotations)
}

// The hold keeps a pod that expires before another one that isolate deletes. isolate deletes
// it as soon as the tool removes the hold.
func TestHoldIsAGate(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 2)
	pods := s.Serving()
	held, other := pods[0], pods[1]
	require.NoError(t, mergePatch(t.Context(), admin, s.Namespace, held, heldOnce))
	require.NoError(t, mergePatch(t.Context(), admin, s.Namespace, other, expiring))
	untilGone(t, s, other)
	require.Nil(t, s.Pod(held).DeletionTimestamp)
	began := time.Now()
	require.NoError(t, mergePatch(t.Context(), admin, s.Namespace, held, unhold))
	untilGone(t, s, held)
	t.Logf("from the removal of the hold to the pod's deletion: %s", time.Since(began))
}

func untilGone(t *testing.T, s *shop.Shop, pod string) {
	t.Helper()
	waiting.Until(t, func() bool {
		_, err := admin.CoreV1().Pods(s.Namespace).Get(t.Context(), pod, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "isolate deletes pod %s", pod)
}

func TestTemplateWithTheTriggerHasNoEffect(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	deployment := gen.Deployment("templated", 1, map[string]string{"app": "templated"})
	deployment.Spec.Template.Annotations = map[string]string{quarantine.TriggerKey: quarantine.True}
	_, err := admin.AppsV1().Deployments(s.Namespace).Create(t.Context(), deployment, metav1.CreateOptions{})
	require.NoError(t, err)
	waiting.Until(t, func() bool { return len(s.Pods("app=templated")) == 1 }, "the pod exists")
	require.NotContains(t, s.Pods("app=templated")[0].Annotations, quarantine.TriggerKey)
}

func TestStatusIsClosed(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	_, err := admin.CoreV1().Pods(s.Namespace).Patch(t.Context(), s.Serving()[0], types.MergePatchType, []byte(trigger), metav1.PatchOptions{}, "status")
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

// isolate's webhook did not see the trigger, because it comes first and had nothing to do.
func TestTriggerOfALaterWebhookIsRefused(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1, gen.Label("later-webhook", "on"))
	server := httptest.NewTLSServer(http.HandlerFunc(addTrigger))
	t.Cleanup(server.Close)
	_, err := admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), later(server), metav1.CreateOptions{})
	require.NoError(t, err)
	pod := s.Serving()[0]
	waiting.NoError(t, func() error {
		err := mergePatch(t.Context(), admin, s.Namespace, pod, `{"metadata": {"annotations": {"example.com/scanned": "true"}}}`)
		if !apierrors.IsInvalid(err) {
			return fmt.Errorf("answered with %w", err)
		}
		require.ErrorContains(t, err, "isolate's webhook did not see this write, nothing was changed")
		return nil
	}, "the API server calls the later webhook")
	require.Empty(t, s.Quarantined())
}

// later is a webhook that is ordered after isolate's.
func later(server *httptest.Server) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "later"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "later.example.com",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      new(server.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			NamespaceSelector: gen.Matching(map[string]string{"later-webhook": "on"}),
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
}

// addTrigger answers every review with a patch that sets the trigger.
func addTrigger(response http.ResponseWriter, request *http.Request) {
	review := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(request.Body).Decode(review); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{
		UID: review.Request.UID, Allowed: true, PatchType: new(admissionv1.PatchTypeJSONPatch),
		Patch: []byte(`[{"op": "add", "path": "/metadata/annotations/isolate.example.io~1quarantine", "value": "true"}]`),
	}
	review.Request = nil
	if err := json.NewEncoder(response).Encode(review); err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
	}
}
