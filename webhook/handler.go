package webhook

import (
	"context"
	"encoding/json"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
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

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := read(w, r)
	if err != nil {
		h.failed(r.Context(), err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response := h.decide(r.Context(), req)
	response.UID = req.UID
	answer := admissionv1.AdmissionReview{Response: response}
	answer.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		logFailure(r.Context(), err)
	}
}

// decide is the answer to a review, but for its UID.
func (h *Handler) decide(ctx context.Context, req *request) *admissionv1.AdmissionResponse {
	start := h.Clock.Now()
	selectors, err := h.Selectors.Namespace(req.Namespace)
	if err != nil {
		err = notDecided(err)
		h.failed(ctx, err)
		return errored(err)
	}
	decision := h.Rules.Decide(quarantine.Request{
		Old:       req.OldObject,
		New:       &req.Object.Metadata,
		User:      req.UserInfo.Username,
		Time:      start,
		Selectors: selectors,
	})
	logDecision(ctx, req, decision)
	h.Metrics.decided(decision, h.Clock.Since(start))
	return respond(req, decision)
}

func (h *Handler) failed(ctx context.Context, err error) {
	logFailure(ctx, err)
	h.Metrics.failed()
}
