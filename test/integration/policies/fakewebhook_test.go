package policies

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
	"isolate.example.io/webhook"
)

// fakeWebhook is a fake of isolate's webhook that counts the reviews. It answers like the
// real one as far as the policies can tell: a quarantine adds the label and the record
// and removes the owners, a release removes the label.
type fakeWebhook struct {
	server  *httptest.Server
	reviews atomic.Int64
}

// startWebhook starts a fake that responds with the function's JSON patch.
func startWebhook(t *testing.T, answer func(before, after *corev1.Pod) []jsonpatch.Operation) *fakeWebhook {
	t.Helper()
	s := &fakeWebhook{}
	s.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answer
		if r.URL.Path == webhook.ValidatePath {
			answer = func(_, _ *corev1.Pod) []jsonpatch.Operation { return nil }
		} else {
			s.reviews.Add(1)
		}
		review := &admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		response, err := respond(review.Request, answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		review.Request, review.Response = nil, response
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Errorf("answering a review: %v", err)
		}
	}))
	t.Cleanup(s.server.Close)
	return s
}

func respond(req *admissionv1.AdmissionRequest, answer func(before, after *corev1.Pod) []jsonpatch.Operation) (*admissionv1.AdmissionResponse, error) {
	before, after := &corev1.Pod{}, &corev1.Pod{}
	if err := json.Unmarshal(req.Object.Raw, after); err != nil {
		return nil, err
	}
	if req.Operation == admissionv1.Update {
		if err := json.Unmarshal(req.OldObject.Raw, before); err != nil {
			return nil, err
		}
	}
	response := &admissionv1.AdmissionResponse{UID: req.UID, Allowed: true}
	operations := answer(before, after)
	if len(operations) == 0 {
		return response, nil
	}
	patch, err := json.Marshal(operations)
	response.Patch, response.PatchType = patch, ptr.To(admissionv1.PatchTypeJSONPatch)
	return response, err
}

// startFakeWebhook starts a fake of isolate's webhook.
func startFakeWebhook(t *testing.T) *fakeWebhook {
	t.Helper()
	return startWebhook(t, func(before, after *corev1.Pod) []jsonpatch.Operation {
		const key = quarantine.TriggerKey
		const mark = "/metadata/labels/isolate.example.io~1quarantined"
		if before.Labels[quarantine.QuarantinedLabel] != "" && after.Labels[quarantine.QuarantinedLabel] != "" && after.Annotations[key] != quarantine.True {
			return []jsonpatch.Operation{jsonpatch.NewOperation("remove", mark, nil)}
		}
		if before.UID == "" || before.DeletionTimestamp != nil ||
			before.Annotations[key] == quarantine.True || after.Annotations[key] != quarantine.True {
			return nil
		}
		operations := []jsonpatch.Operation{
			jsonpatch.NewOperation("add", mark, quarantine.QuarantinedValue),
		}
		for _, key := range recordKeys {
			operations = append(operations, jsonpatch.NewOperation("add", "/metadata/annotations/"+strings.ReplaceAll(key, "/", "~1"), longAgo))
		}
		if len(after.OwnerReferences) > 0 {
			operations = append(operations, jsonpatch.NewOperation("remove", "/metadata/ownerReferences", nil))
		}
		return operations
	})
}

// calls returns the number of reviews so far.
func (s *fakeWebhook) calls() int64 { return s.reviews.Load() }

// answerFor points the configuration at the fake and changes nothing else in it.
func (s *fakeWebhook) answerFor(t *testing.T, configuration *unstructured.Unstructured) {
	t.Helper()
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	must(t, err)
	for _, w := range webhooks {
		shipped := w.(map[string]any)
		path, _, err := unstructured.NestedString(shipped, "clientConfig", "service", "path")
		must(t, err)
		config := s.clientConfig(path)
		shipped["clientConfig"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&config)
		must(t, err)
	}
	must(t, unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks"))
}

func (s *fakeWebhook) clientConfig(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{
		URL:      new(s.server.URL + path),
		CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw}),
	}
}
