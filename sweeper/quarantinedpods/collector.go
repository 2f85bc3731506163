package quarantinedpods

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// scrapeTimeout bounds how long a scrape waits for the cache to sync.
const scrapeTimeout = 5 * time.Second

var (
	descQuarantined = prometheus.NewDesc("isolate_quarantined_pods", "Quarantined pods of each namespace that has any.", []string{"namespace"}, nil)
	descHeld        = prometheus.NewDesc("isolate_held_pods", "Quarantined pods that are held.", nil, nil)
	descOverdue     = prometheus.NewDesc("isolate_overdue_pods", "Quarantined pods that have expired, are not held, and are not terminating.", nil, nil)
	descTerminating = prometheus.NewDesc("isolate_terminating_pods", "Quarantined pods that are terminating. A finalizer or a lost node can block them.", nil, nil)
	descDamaged     = prometheus.NewDesc("isolate_damaged_pods", "Quarantined pods with a damaged record. isolate does not delete them.", nil, nil)
	descImplausible = prometheus.NewDesc("isolate_implausible_pods", "Quarantined pods with an expiry that can't be true, because a clock was wrong. isolate does not delete them.", nil, nil)
	descOldest      = prometheus.NewDesc("isolate_oldest_quarantine_seconds", "Age of the oldest quarantine, 0 if there is none.", nil, nil)
	descNextExpiry  = prometheus.NewDesc("isolate_next_expiry_timestamp_seconds", "When the next quarantined pod expires that is not held. Absent if there is none.", nil, nil)
)

// podCollector counts the quarantined pods in the cache at every scrape. Only the leader
// counts, so a sum over the replicas is the number of pods.
type podCollector struct {
	elected <-chan struct{}
	pods    client.Reader
	clock   clock.PassiveClock
}

// RegisterMetrics registers gauges of the quarantined pods in the cache. elected is closed
// when this replica leads.
func RegisterMetrics(pods client.Reader, elected <-chan struct{}, clk clock.PassiveClock, registry prometheus.Registerer) error {
	return registry.Register(&podCollector{elected: elected, pods: pods, clock: clk})
}

// Describe implements [prometheus.Collector].
func (c *podCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- descQuarantined
	descs <- descNextExpiry
	for desc := range count(nil, time.Time{}).totals {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *podCollector) Collect(metrics chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	pods := NewList()
	if err := c.pods.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
		metrics <- prometheus.NewInvalidMetric(descQuarantined, err)
		return
	}
	counts := count(pods.Items, c.clock.Now())
	for desc, value := range counts.totals {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	for namespace, value := range counts.namespaces {
		metrics <- prometheus.MustNewConstMetric(descQuarantined, prometheus.GaugeValue, value, namespace)
	}
	if !counts.nextExpiry.IsZero() {
		metrics <- prometheus.MustNewConstMetric(descNextExpiry, prometheus.GaugeValue, float64(counts.nextExpiry.Unix()))
	}
}

// counts are the values of all metrics.
type counts struct {
	totals     map[*prometheus.Desc]float64
	namespaces map[string]float64 // the quarantined pods
	nextExpiry time.Time
}

func count(pods []metav1.PartialObjectMetadata, now time.Time) counts {
	c := counts{namespaces: map[string]float64{}, totals: map[*prometheus.Desc]float64{
		descHeld: 0, descOverdue: 0, descTerminating: 0, descDamaged: 0, descImplausible: 0, descOldest: 0,
	}}
	for i := range pods {
		verdict, status := quarantine.VerdictOf(&pods[i].ObjectMeta, now)
		switch verdict {
		case quarantine.VerdictHeld:
			c.totals[descHeld]++
		case quarantine.VerdictExpired:
			c.totals[descOverdue]++
		case quarantine.VerdictTerminating:
			c.totals[descTerminating]++
		case quarantine.VerdictDamaged:
			c.totals[descDamaged]++
		case quarantine.VerdictImplausible:
			c.totals[descImplausible]++
		case quarantine.VerdictWaiting:
			if c.nextExpiry.IsZero() || status.ExpiresAt.Before(c.nextExpiry) {
				c.nextExpiry = status.ExpiresAt
			}
		default: // A free pod.
		}
		if status.State == quarantine.Quarantined {
			c.namespaces[pods[i].Namespace]++
			c.totals[descOldest] = max(c.totals[descOldest], now.Sub(status.QuarantinedAt).Seconds())
		}
	}
	return c
}
