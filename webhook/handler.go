package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

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

// Census has a quarantine decided with the count of those that there are. It fails
// as long as that isn't known.
type Census interface {
	Admit(req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error)
}

// Settings answers what a namespace sets for itself. It fails as long as that isn't
// known.
type Settings interface {
	Settings(namespace string) (map[string]string, error)
}

// Handler answers the admission of pods.
type Handler struct {
	Rules     quarantine.Config
	Selectors Selectors
	Census    Census
	Settings  Settings
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
	response := h.answer(r.Context(), req)
	response.UID = req.UID
	answer := admissionv1.AdmissionReview{Response: response}
	answer.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		logFailure(r.Context(), err)
	}
}

// answer is the answer to a review, but for its UID.
func (h *Handler) answer(ctx context.Context, req *request) *admissionv1.AdmissionResponse {
	start := h.Clock.Now()
	decision, err := h.decide(req, start)
	if err != nil {
		h.failed(ctx, err)
		return errored(err)
	}
	logDecision(ctx, req, decision)
	h.Metrics.decided(decision, h.Clock.Since(start))
	return respond(req, decision)
}

// decide reads what a decision rests on, and decides.
func (h *Handler) decide(req *request, now time.Time) (decision quarantine.Decision, err error) {
	asked := quarantine.Request{Old: req.OldObject, New: &req.Object.Metadata, User: req.UserInfo.Username, Time: now}
	if asked.Selectors, err = h.Selectors.Namespace(req.Namespace); err != nil {
		return decision, notDecided("what selects this pod", err)
	}
	if asked.NamespaceConfig, err = h.Settings.Settings(req.Namespace); err != nil {
		return decision, notDecided("what this namespace sets", err)
	}
	if !asked.Triggered() {
		return h.Rules.Decide(asked), nil
	}
	decision, err = h.Census.Admit(asked, req.dryRun(), h.Rules.Decide)
	if err != nil {
		return decision, notDecided("how many pods are quarantined", err)
	}
	return decision, nil
}

func (h *Handler) failed(ctx context.Context, err error) {
	logFailure(ctx, err)
	h.Metrics.failed()
}
