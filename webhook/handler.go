package webhook

import (
	"context"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"
	kjson "sigs.k8s.io/json"

	"isolate.example.io/quarantine"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Path is where the webhook is served, as the shipped configuration has it.
const Path = "/mutate-pods"

// Selectors answers for a namespace who selects a pod. It fails as long as the
// answer could be incomplete.
type Selectors interface {
	Namespace(name string) (quarantine.Selectors, error)
}

// Handler answers the admission of pods.
type Handler struct {
	Rules     quarantine.Rules
	Selectors Selectors
	Clock     clock.PassiveClock
	Metrics   *Metrics
}

// Handle implements [admission.Handler].
func (h *Handler) Handle(ctx context.Context, review admission.Request) admission.Response {
	start := h.Clock.Now()
	req, err := h.decode(review)
	if err != nil {
		return h.failed(ctx, http.StatusBadRequest, err)
	}
	if req.Selectors, err = h.Selectors.Namespace(review.Namespace); err != nil {
		return h.failed(ctx, http.StatusInternalServerError, notDecided(err))
	}
	decision := h.Rules.Decide(req)
	logDecision(ctx, review, req, decision)
	h.Metrics.decided(decision, h.Clock.Since(start))
	return respond(review, decision)
}

// decode reads the objects of a review no further than the rules look.
func (h *Handler) decode(review admission.Request) (quarantine.Request, error) {
	req := quarantine.Request{User: review.UserInfo.Username, Time: h.Clock.Now()}
	var pod struct {
		Metadata quarantine.Metadata `json:"metadata"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(review.Object.Raw, &pod); err != nil {
		return req, fmt.Errorf("decoding the pod: %w", err)
	}
	req.New = &pod.Metadata
	if review.Operation == admissionv1.Create {
		return req, nil
	}
	req.Old = &quarantine.Pod{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(review.OldObject.Raw, req.Old); err != nil {
		return req, fmt.Errorf("decoding the stored pod: %w", err)
	}
	return req, nil
}

func (h *Handler) failed(ctx context.Context, code int32, err error) admission.Response {
	logFailure(ctx, err)
	h.Metrics.failed()
	return admission.Errored(code, err)
}
