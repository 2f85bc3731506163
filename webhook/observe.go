package webhook

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
)

// Metrics count what the webhook decides. No label names a pod or a user.
type Metrics struct {
	decisions *prometheus.CounterVec
	failures  prometheus.Counter
	seconds   prometheus.Histogram

	// badSettings is set by [Namespaces].
	badSettings prometheus.Gauge
}

// NewMetrics registers the webhook's metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "isolate_admission_decisions_total",
			Help: "Admissions of pods that touch isolation, by what was done and, where denied, why.",
		}, []string{"action", "reason"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "isolate_admission_failures_total",
			Help: "Admissions that could not be decided: the cluster not read yet, or a review that can't be decoded.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "isolate_admission_decision_seconds",
			Help:    "How long a decision took, from the decoded review to the answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14),
		}),
		badSettings: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_namespace_settings_unreadable",
			Help: "Annotations of Namespaces that set something for isolate and can't be read, so that the flag's value counts.",
		}),
	}
	registry.MustRegister(m.decisions, m.failures, m.seconds, m.badSettings)
	return m
}

func (m *Metrics) decided(decision quarantine.Decision, took time.Duration) {
	m.decisions.WithLabelValues(string(decision.Action), string(reason(decision))).Inc()
	m.seconds.Observe(took.Seconds())
}

func (m *Metrics) failed() { m.failures.Inc() }

// logDecision writes one line a decision: what was done to which pod, and for
// whom. The admission is named by its UID, which the API server's audit log has too.
func logDecision(ctx context.Context, req *request, decision quarantine.Decision) {
	if decision.Action == quarantine.ActionNone {
		return
	}
	uid := req.Object.Metadata.UID
	if req.OldObject != nil {
		uid = req.OldObject.UID
	}
	log.FromContext(ctx).Info("Decided", "namespace", req.Namespace, "pod", req.Name, "user", req.UserInfo.Username,
		"admission", req.UID, "action", decision.Action, "reason", reason(decision), "uid", uid,
		"detachedFrom", decision.DetachedFrom, "dryRun", req.dryRun())
}

func logFailure(ctx context.Context, err error) {
	log.FromContext(ctx).Error(err, "Not decided")
}

func reason(decision quarantine.Decision) quarantine.Reason {
	if decision.Denial == nil {
		return ""
	}
	return decision.Denial.Reason
}
