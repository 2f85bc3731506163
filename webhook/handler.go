package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
	"isolate.example.io/webhook/connections"
)

// Paths of the webhook in the shipped configurations.
const (
	// Path is where writes to pods are decided and changed.
	Path = "/mutate-pods"

	// ValidatePath is where a write that quarantines is checked once more, after all
	// mutations.
	ValidatePath = "/validate-pods"
)

// Selectors looks up what selects a pod.
type Selectors interface {
	// Namespace returns the selecting objects of a namespace. It fails as long as they
	// could be incomplete.
	Namespace(name string) (quarantine.Selectors, error)
}

// BudgetTracker counts quarantined pods against their budgets.
type BudgetTracker interface {
	// Reserve calls decide with the count of quarantined pods, and counts the pod if it
	// is admitted. It fails as long as the quarantined pods are unknown.
	Reserve(ctx context.Context, req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error)
}

// NamespaceConfigSource looks up the configuration of a namespace.
type NamespaceConfigSource interface {
	// NamespaceConfig returns isolate's annotations on a Namespace. It fails as long as
	// the Namespaces are unknown.
	NamespaceConfig(namespace string) (map[string]string, error)
}

// ServerClock tells the time by which pods are stamped.
type ServerClock interface {
	// Server returns the API server's time. It fails as long as that is unknown.
	Server() (time.Time, error)
}

// Source is what a decision depends on.
type Source interface {
	// Wait waits until the source is known, or the context ends.
	Wait(ctx context.Context) error
}

// Handler answers the admission reviews of pods. [NewHandler] returns one.
type Handler struct {
	Config           quarantine.Config
	Selectors        Selectors
	Budgets          BudgetTracker
	NamespaceConfigs NamespaceConfigSource
	Time             ServerClock
	Metrics          *Metrics

	// Clock measures how long a decision takes.
	Clock clock.PassiveClock

	// Sources are waited for while they are unknown, for at most [watchcache.Tolerance].
	Sources []Source

	bodies *bodies
}

// NewHandler returns a handler with these fields, all of which are required.
func NewHandler(h Handler) *Handler {
	h.bodies = newBodies()
	return &h
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := h.bodies.read(r.Context(), r.Body, r.ContentLength)
	if err != nil {
		h.reject(w, r, err)
		return
	}
	defer body.release()
	connections.Received(r.Context())
	req, err := decode(body.data)
	if err != nil {
		h.reject(w, r, err)
		return
	}
	connections.Completed(r.Context())
	response := h.review(r.Context(), req, r.URL.Path == ValidatePath)
	response.UID = req.UID
	answer := admissionv1.AdmissionReview{Response: response}
	answer.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		logFailure(r.Context(), err)
	}
}

// review returns the response to a request, without its UID.
func (h *Handler) review(ctx context.Context, req *request, validates bool) *admissionv1.AdmissionResponse {
	start := h.Clock.Now()
	h.wait(ctx)
	decide := h.decide
	if validates {
		decide = h.verify
	}
	decision, err := decide(ctx, req)
	if err != nil {
		h.failed(ctx, err)
		return errored(err)
	}
	logDecision(ctx, req, decision)
	h.Metrics.decided(decision, h.Clock.Since(start))
	return respond(req, decision)
}

// wait waits for the sources. One that is still unknown then is an error of decide or verify, if
// they need it.
func (h *Handler) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchcache.Tolerance)
	defer cancel()
	for _, s := range h.Sources {
		_ = s.Wait(ctx)
	}
}

// decide looks up what the decision depends on, and decides.
func (h *Handler) decide(ctx context.Context, req *request) (decision quarantine.Decision, err error) {
	r := quarantine.Request{Old: req.OldObject, New: &req.Object.Metadata.Metadata, User: req.UserInfo.Username}
	if r.Time, err = h.Time.Server(); err != nil {
		return decision, errUnknown(unknownTime, err)
	}
	if r.Selectors, r.NamespaceConfig, err = h.read(req.Namespace); err != nil {
		return decision, err
	}
	if !r.Triggered() {
		return h.Config.Decide(r), nil
	}
	reserved, err := h.Budgets.Reserve(ctx, r, req.DryRun, h.Config.Decide)
	if err != nil {
		return decision, errUnknown(unknownQuarantines, err)
	}
	// Reserve may have waited, and what it decided by may have become unknown meanwhile.
	if _, _, err := h.read(req.Namespace); err != nil {
		return decision, err
	}
	return reserved, nil
}

// read returns what selects the pods of a namespace, and the namespace's configuration.
func (h *Handler) read(namespace string) (selecting quarantine.Selectors, config map[string]string, err error) {
	if selecting, err = h.Selectors.Namespace(namespace); err != nil {
		return nil, nil, errUnknown(unknownSelectors, err)
	}
	if config, err = h.NamespaceConfigs.NamespaceConfig(namespace); err != nil {
		return nil, nil, errUnknown(unknownNamespaceConfig, err)
	}
	return selecting, config, nil
}

// reject responds to a request whose body was not read or is not a review, and closes the
// connection.
func (h *Handler) reject(w http.ResponseWriter, r *http.Request, err error) {
	h.failed(r.Context(), err)
	code := http.StatusBadRequest
	switch {
	case errors.Is(err, errNoMemory):
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	case errors.Is(err, errTooLarge):
		code = http.StatusRequestEntityTooLarge
	}
	w.Header().Set("Connection", "close")
	http.Error(w, err.Error(), code)
}

// verify decides whether a write that quarantines may be stored.
func (h *Handler) verify(_ context.Context, req *request) (decision quarantine.Decision, err error) {
	r := quarantine.Request{Old: req.OldObject, New: &req.Object.Metadata.Metadata, User: req.UserInfo.Username}
	if r.Selectors, err = h.Selectors.Namespace(req.Namespace); err != nil {
		return decision, errUnknown(unknownSelectors, err)
	}
	return quarantine.Verify(r, req.Object.Metadata.ManagedFields), nil
}

func (h *Handler) failed(ctx context.Context, err error) {
	logFailure(ctx, err)
	h.Metrics.failed()
}
