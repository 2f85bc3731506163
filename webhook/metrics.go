package webhook

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"isolate.example.io/quarantine"
)

// Metrics are the metrics of the webhook. No label names a pod or a user.
type Metrics struct {
	decisions *prometheus.CounterVec
	failures  prometheus.Counter
	duration  prometheus.Histogram

	// invalidNamespaceConfigs is set by [NamespaceConfigs].
	invalidNamespaceConfigs prometheus.Gauge
}

// NewMetrics registers the webhook's metrics. The errors are those of the registry.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "isolate_admission_decisions_total",
			Help: "Decisions about pods that touch isolation, by action and, if denied, by reason.",
		}, []string{"action", "reason"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "isolate_admission_failures_total",
			Help: "Reviews that could not be decided: the cluster was unknown, or the review was malformed.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "isolate_admission_decision_duration_seconds",
			Help:    "How long a decision took, from the decoded review to the response.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14),
		}),
		invalidNamespaceConfigs: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_invalid_namespace_annotations",
			Help: "Annotations of isolate on Namespaces that are invalid, and ignored in favor of the flag.",
		}),
	}
	// A series that begins with its first refusal shows Prometheus no increase.
	for _, refusal := range quarantine.Refusals() {
		m.decisions.WithLabelValues(string(quarantine.ActionDeny), string(refusal.Reason))
	}
	for _, action := range []quarantine.Action{
		quarantine.ActionNone, quarantine.ActionQuarantine, quarantine.ActionDetach, quarantine.ActionExtend,
		quarantine.ActionRelease, quarantine.ActionDropAnnotations,
	} {
		m.decisions.WithLabelValues(string(action), "")
	}
	return m, errors.Join(registry.Register(m.decisions), registry.Register(m.failures),
		registry.Register(m.duration), registry.Register(m.invalidNamespaceConfigs))
}

// registerReady registers the gauge of what /readyz reports. An alert needs it: Prometheus
// scrapes a replica that is not ready too.
func registerReady(registry prometheus.Registerer, checks map[string]healthz.Checker) error {
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "isolate_webhook_ready",
		Help: "1 if this replica is ready to answer admission reviews, as /readyz reports.",
	}, func() float64 {
		for _, check := range checks {
			if check(nil) != nil {
				return 0
			}
		}
		return 1
	}))
}

func (m *Metrics) decided(decision quarantine.Decision, took time.Duration) {
	m.decisions.WithLabelValues(string(decision.Action), string(reason(decision))).Inc()
	m.duration.Observe(took.Seconds())
}

func (m *Metrics) failed() { m.failures.Inc() }
