package sweeper

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// metrics count what the sweeper does. No label names a pod or a user.
type metrics struct {
	deletions *prometheus.CounterVec
	lag       prometheus.Histogram
	skew      prometheus.Gauge
	untold    prometheus.Counter
	missing   prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deletions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "isolate_deletions_total",
			Help: "Deletions of expired pods, by how they ended.",
		}, []string{"outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "isolate_deletion_lag_seconds",
			Help:    "How long after its expiry a pod was deleted. A hold withdrawn after the expiry counts too.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 14),
		}),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_clock_skew_seconds",
			Help: "By how much the API server's clock is at least ahead of this machine's, or, negative, behind. " +
				"Beyond 2 either way, pods are deleted at the later moment.",
		}),
		untold: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "isolate_events_failed_total",
			Help: "Events that could not be published and were given up.",
		}),
		missing: newMissingGauge(),
	}
	for _, outcome := range []Outcome{OutcomeDeleted, OutcomeGone, OutcomeConflict, OutcomeFailed} {
		m.deletions.WithLabelValues(string(outcome))
	}
	for _, collector := range []prometheus.Collector{m.deletions, m.lag, m.skew, m.untold, m.missing} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) ended(outcome Outcome) { m.deletions.WithLabelValues(string(outcome)).Inc() }

func (m *metrics) deleted(lag time.Duration) {
	m.ended(OutcomeDeleted)
	m.lag.Observe(lag.Seconds())
}

// census counts the quarantined pods in the cache whenever metrics are read. Only
// the leader counts: a sum over the replicas is then the number of pods.
type census struct {
	elected <-chan struct{}
	pods    client.Reader
	local   clock.PassiveClock
	ignored *ignored
}

// scrapeTimeout bounds the wait for a cache that isn't complete.
const scrapeTimeout = 5 * time.Second

var (
	descQuarantined = prometheus.NewDesc("isolate_quarantined_pods", "Quarantined pods now.", nil, nil)
	descHeld        = prometheus.NewDesc("isolate_held_pods", "Quarantined pods that a hold keeps.", nil, nil)
	descOverdue     = prometheus.NewDesc("isolate_overdue_pods", "Quarantined pods that have expired, are not held, and are not being deleted.", nil, nil)
	descTerminating = prometheus.NewDesc("isolate_terminating_pods", "Quarantined pods that are being deleted. A finalizer or a lost node can keep one so.", nil, nil)
	descDamaged     = prometheus.NewDesc("isolate_damaged_pods", "Quarantined pods whose record can't be relied on. They are never deleted.", nil, nil)
	descUnlabelled  = prometheus.NewDesc("isolate_unlabelled_records", "Pods that had a part of a record without the label when the leader started. They are never deleted.", nil, nil)
	descIgnored     = prometheus.NewDesc("isolate_ignored_triggers", "Pods that carried the trigger but were never quarantined when the leader started.", nil, nil)
	descOldest      = prometheus.NewDesc("isolate_oldest_quarantine_seconds", "How long the longest quarantined pod has been so, 0 if there is none.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c *census) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{descQuarantined, descHeld, descOverdue, descTerminating, descDamaged, descUnlabelled, descIgnored, descOldest} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *census) Collect(metrics chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	pods := newPodList()
	if err := c.pods.List(ctx, pods); err != nil {
		metrics <- prometheus.NewInvalidMetric(descQuarantined, err)
		return
	}
	counted := count(pods.Items, c.local.Now())
	if found, ok := c.ignored.result(); ok {
		counted[descIgnored] = float64(found.triggers)
		counted[descUnlabelled] = float64(found.unlabelled)
	}
	for desc, value := range counted {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}

// count tells what Collect publishes.
func count(pods []metav1.PartialObjectMetadata, now time.Time) map[*prometheus.Desc]float64 {
	counted := map[*prometheus.Desc]float64{
		descQuarantined: 0, descHeld: 0, descOverdue: 0, descTerminating: 0, descDamaged: 0, descOldest: 0,
	}
	for i := range pods {
		verdict, status := judge(&pods[i], now)
		switch verdict {
		case VerdictHeld:
			counted[descHeld]++
		case VerdictExpired:
			counted[descOverdue]++
		case VerdictTerminating:
			counted[descTerminating]++
		case VerdictDamaged:
			counted[descDamaged]++
		default: // Counted as quarantined below, or not at all.
		}
		if status.State == quarantine.Quarantined {
			counted[descQuarantined]++
			counted[descOldest] = max(counted[descOldest], now.Sub(status.QuarantinedAt).Seconds())
		}
	}
	return counted
}
