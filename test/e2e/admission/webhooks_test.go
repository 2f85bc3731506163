package admission

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	countKey       = domain + "count"
	otherFinalizer = domain + "finalizer"
)

// webhooks serves all third parties that are webhooks, each at a path with its name.
type webhooks struct {
	server       *httptest.Server
	thirdParties map[string]thirdParty

	// waits are the channels that a slow webhook waits for, by namespace.
	waits sync.Map
}

func serveWebhooks(all []thirdParty) *webhooks {
	w := &webhooks{thirdParties: map[string]thirdParty{}}
	for _, o := range all {
		w.thirdParties["/"+o.name] = o
	}
	w.server = httptest.NewTLSServer(http.HandlerFunc(w.serve))
	return w
}

func (w *webhooks) serve(response http.ResponseWriter, request *http.Request) {
	review := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(request.Body).Decode(review); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	o := w.thirdParties[request.URL.Path]
	if wait, ok := w.waits.Load(review.Request.Namespace); ok && o.slow {
		wait.(func())()
	}
	answer, err := o.answer(review.Request)
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	review.Request, review.Response = nil, answer
	if err := json.NewEncoder(response).Encode(review); err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
	}
}

// answer is only called if the condition of the third party is met.
func (o thirdParty) answer(request *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	response := &admissionv1.AdmissionResponse{UID: request.UID, Allowed: !o.refuses}
	if o.refuses {
		response.Result = &metav1.Status{Message: o.name + " refuses this"}
		return response, nil
	}
	pod := metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return nil, err
	}
	was, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	o.apply(&pod.ObjectMeta)
	is, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.CreatePatch(was, is)
	if err != nil || len(operations) == 0 {
		return response, err
	}
	response.PatchType = new(admissionv1.PatchTypeJSONPatch)
	response.Patch, err = json.Marshal(operations)
	return response, err
}

// apply makes the change.
func (c change) apply(pod *metav1.ObjectMeta) {
	pod.Labels, pod.Annotations = with(pod.Labels, c.labels, c.noLabels), with(pod.Annotations, c.annotations, c.noAnnotations)
	if c.counts {
		pod.Annotations[countKey] += "i"
	}
	if c.finalizer && !slices.Contains(pod.Finalizers, otherFinalizer) {
		pod.Finalizers = append(pod.Finalizers, otherFinalizer)
	}
	if c.dropFinalizers {
		pod.Finalizers = nil
	}
	ref := operatorRef(c.controls)
	if c.owner && !slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == ref.UID }) {
		pod.OwnerReferences = append(pod.OwnerReferences, ref)
	}
}

func with(pairs, set map[string]string, removed []string) map[string]string {
	if pairs == nil {
		pairs = map[string]string{}
	}
	maps.Copy(pairs, set)
	for _, key := range removed {
		delete(pairs, key)
	}
	return pairs
}

// create creates the configurations. The API server calls them in the order of their
// names, and isolate's is named "isolate".
func (w *webhooks) create(ctx context.Context, all []thirdParty) error {
	api := admin.AdmissionregistrationV1()
	for name, positions := range map[string][]position{"a-others": {before, beforeAgain}, "z-others": {after, afterAgain}} {
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, o := range all {
			if slices.Contains(positions, o.position) {
				configuration.Webhooks = append(configuration.Webhooks, w.mutating(o))
			}
		}
		if _, err := api.MutatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating the webhooks %s: %w", name, err)
		}
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "others"}}
	for _, o := range all {
		if o.position == validating {
			configuration.Webhooks = append(configuration.Webhooks, w.validating(o))
		}
	}
	_, err := api.ValidatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{})
	return err
}

func (w *webhooks) mutating(o thirdParty) admissionregistrationv1.MutatingWebhook {
	reinvocation := admissionregistrationv1.NeverReinvocationPolicy
	if strings.HasSuffix(string(o.position), "again") {
		reinvocation = admissionregistrationv1.IfNeededReinvocationPolicy
	}
	return admissionregistrationv1.MutatingWebhook{
		Name:                    o.name + ".example.com",
		ClientConfig:            w.clientConfig(o),
		Rules:                   []admissionregistrationv1.RuleWithOperations{podRules(admissionregistrationv1.Update)},
		NamespaceSelector:       o.namespaces(),
		MatchConditions:         o.conditions(),
		ReinvocationPolicy:      &reinvocation,
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"},
	}
}

func (w *webhooks) validating(o thirdParty) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:                    o.name + ".example.com",
		ClientConfig:            w.clientConfig(o),
		Rules:                   []admissionregistrationv1.RuleWithOperations{podRules(admissionregistrationv1.Update)},
		NamespaceSelector:       o.namespaces(),
		MatchConditions:         o.conditions(),
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"},
	}
}

func (w *webhooks) clientConfig(o thirdParty) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{
		URL:      new(w.server.URL + "/" + o.name),
		CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw}),
	}
}
