package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/installation"
)

// reviewer sends reviews to one replica of the webhook, past the API server.
type reviewer struct {
	client  *http.Client
	address string
	path    string
}

func (c *cluster) reviewer(p *installation.Program) (reviewer, error) {
	config, err := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(c.Context(), "isolate", metav1.GetOptions{})
	if err != nil {
		return reviewer{}, err
	}
	// A client that lies does not care who answers.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	c.Cleanup(transport.CloseIdleConnections)
	return reviewer{
		client:  &http.Client{Transport: transport},
		address: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)),
		path:    *config.Webhooks[0].ClientConfig.Service.Path,
	}, nil
}

// post sends a body, and returns the status code and the body of the answer.
func (r reviewer) post(ctx context.Context, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.address+r.path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// quarantine asks the webhook to quarantine a pod, without storing anything, and returns the
// labels that the pod would have. The error is the webhook's refusal.
func (r reviewer) quarantine(ctx context.Context, pod *corev1.Pod) (map[string]string, error) {
	old, body, err := forge(pod, true)
	if err != nil {
		return nil, err
	}
	code, answer, err := r.post(ctx, body)
	if err != nil {
		return nil, err
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &review); err != nil || review.Response == nil {
		return nil, fmt.Errorf("the webhook answers %d: %s", code, answer)
	}
	if !review.Response.Allowed {
		return nil, fmt.Errorf("%d %s", review.Response.Result.Code, review.Response.Result.Message)
	}
	patch, err := jsonpatch.DecodePatch(review.Response.Patch)
	if err != nil {
		return nil, err
	}
	patched, err := patch.Apply(old)
	if err != nil {
		return nil, err
	}
	var stored metav1.PartialObjectMetadata
	err = json.Unmarshal(patched, &stored)
	return stored.Labels, err
}

// forge returns a review of a write that quarantines a pod, as no API server has sent it,
// and the object in it.
func forge(pod *corev1.Pod, dryRun bool) (object, review []byte, err error) {
	written := pod.DeepCopy()
	written.APIVersion, written.Kind = "v1", "Pod"
	before, err := json.Marshal(written)
	if err != nil {
		return nil, nil, err
	}
	written.Annotations = maps.Clone(pod.Annotations)
	metav1.SetMetaDataAnnotation(&written.ObjectMeta, quarantine.TriggerKey, quarantine.True)
	if object, err = json.Marshal(written); err != nil {
		return nil, nil, err
	}
	forged := admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID:       uuid.NewUUID(),
		Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Name:      pod.Name,
		Namespace: pod.Namespace,
		Operation: admissionv1.Update,
		Object:    runtime.RawExtension{Raw: object},
		OldObject: runtime.RawExtension{Raw: before},
		DryRun:    &dryRun,
	}}
	forged.APIVersion, forged.Kind = admissionv1.SchemeGroupVersion.String(), "AdmissionReview"
	forged.Request.UserInfo.Username = "kubernetes-admin"
	review, err = json.Marshal(forged)
	return object, review, err
}
