package alertreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/sweeper/events"
	"isolate.example.io/webhook/connections"
)

const (
	// requestTimeout bounds the work for one request.
	requestTimeout = 30 * time.Second

	// maxRequests bounds the requests that are read and worked on at a time, and so the
	// memory for them. Another one waits for slotWait.
	maxRequests = 4
	slotWait    = time.Second

	// alertsPerSecond and alertsAtOnce bound the alerts that reach the API server.
	alertsPerSecond, alertsAtOnce = 10, 100

	// refusalLogInterval is how often the log has a request without a valid token.
	refusalLogInterval = time.Second
)

// Handler answers Alertmanager's requests. [NewHandler] returns one.
type Handler struct {
	config    Config
	tokens    TokenFile
	pods      *quarantiner
	publisher events.Publisher
	metrics   *metrics

	slots        *semaphore.Weighted
	limiter      *rate.Limiter
	unauthorized rate.Sometimes
}

func newHandler(config Config, tokens TokenFile, pods *quarantiner, publisher events.Publisher, metrics *metrics) *Handler {
	return &Handler{
		config: config, tokens: tokens, pods: pods, publisher: publisher, metrics: metrics,
		slots: semaphore.NewWeighted(maxRequests), limiter: rate.NewLimiter(alertsPerSecond, alertsAtOnce),
		unauthorized: rate.Sometimes{Interval: refusalLogInterval},
	}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	// Before anything of the request is read or waited for.
	if err := h.tokens.authorize(r); err != nil {
		h.metrics.refused(ReasonUnauthorized)
		h.unauthorized.Do(func() {
			logger(ctx).Info(logRefusedRequest, "reason", ReasonUnauthorized, "from", r.RemoteAddr, "error", err.Error())
		})
		w.Header().Set("WWW-Authenticate", strings.TrimSpace(scheme))
		reject(w, &refusal{ReasonUnauthorized, messageUnauthorized, http.StatusUnauthorized})
		return
	}
	if !h.acquire(ctx) {
		reject(w, h.refuseRequest(ctx, temporary(ReasonOverloaded, messageOverloaded)))
		return
	}
	defer h.slots.Release(1)
	read, refused := receive(w, r)
	if refused != nil {
		reject(w, h.refuseRequest(ctx, refused))
		return
	}
	connections.Received(ctx)
	connections.Completed(ctx)
	respond(w, h.handle(ctx, read))
}

func (h *Handler) acquire(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	return h.slots.Acquire(ctx, 1) == nil
}

// receive reads a request.
func receive(w http.ResponseWriter, r *http.Request) (payload, *refusal) {
	read, err := decode(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooManyAlerts):
		return read, &refusal{ReasonTooLarge, messageTooLarge, http.StatusRequestEntityTooLarge}
	case err != nil:
		return read, &refusal{ReasonMalformed, messageMalformed(err), http.StatusBadRequest}
	case read.version != formatVersion:
		return read, &refusal{ReasonMalformed, messageVersion(read.version), http.StatusBadRequest}
	}
	return read, nil
}

// handle acts on the alerts, and returns the refusals.
func (h *Handler) handle(ctx context.Context, read payload) []*refusal {
	var all []*refusal
	for _, a := range read.alerts {
		if refused := h.handleAlert(ctx, a); refused != nil {
			all = append(all, refused)
		}
	}
	if read.truncated > 0 {
		all = append(all, h.refuseRequest(ctx, permanent(ReasonTruncated, messageTruncated(read.truncated))))
	}
	return all
}

func (h *Handler) handleAlert(ctx context.Context, a alert) *refusal {
	if a.Status == statusResolved {
		h.metrics.handled(ResultResolved)
		return nil
	}
	result, pod := ResultRefused, (*metav1.PartialObjectMetadata)(nil)
	t, refused := h.config.target(a)
	switch {
	case t.pod.Name == "": // Nothing to read.
	case h.limiter.Wait(ctx) != nil:
		refused = temporary(ReasonOverloaded, messageTooLate)
	case refused != nil: // The pod is read for the event.
		pod, _ = h.pods.read(ctx, t.pod)
	default:
		result, pod, refused = h.pods.quarantine(ctx, t)
	}
	h.metrics.handled(result)
	if refused == nil {
		t.logger(ctx).Info(logHandled, "result", result)
		return nil
	}
	h.metrics.refused(refused.reason)
	t.logger(ctx).Info(logRefused, "reason", refused.reason, "message", refused.message)
	if pod != nil && pod.UID != "" {
		h.publisher.Publish(refusedEvent(pod, t, refused))
	}
	return refused
}

func (h *Handler) refuseRequest(ctx context.Context, refused *refusal) *refusal {
	h.metrics.refused(refused.reason)
	logger(ctx).Info(logRefusedRequest, "reason", refused.reason, "message", refused.message)
	return refused
}

// reject answers to a request that was not read as a whole. It closes the connection, or the
// server would read on.
func reject(w http.ResponseWriter, refused *refusal) {
	w.Header().Set("Connection", "close")
	respond(w, []*refusal{refused})
}

// respond answers with the refusals, and with the highest of their codes: one that is worth a
// retry has the request repeated. The alerts that were acted on are remembered, so repeating
// them does nothing.
func respond(w http.ResponseWriter, refusals []*refusal) {
	code, text := http.StatusOK, strings.Builder{}
	for _, refused := range refusals {
		code = max(code, refused.code)
		fmt.Fprintf(&text, "%s: %s\n", refused.reason, printable(refused.message))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text.String())) // Alertmanager sees the code alone if this fails.
}

func logger(ctx context.Context) logr.Logger { return log.FromContext(ctx).WithName("alert-receiver") }

func (t *target) logger(ctx context.Context) logr.Logger {
	return logger(ctx).WithValues("pod", t.pod, "alert", shorten(t.alert), "fingerprint", shorten(t.fingerprint))
}
