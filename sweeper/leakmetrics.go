package sweeper

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// leakMetrics count leaks, and know which pods are still selected.
type leakMetrics struct {
	total prometheus.Counter
	now   prometheus.Gauge

	mu   sync.Mutex
	pods map[types.NamespacedName]time.Time // since when
}

func newLeakMetrics(registry prometheus.Registerer) (*leakMetrics, error) {
	m := &leakMetrics{
		total: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "isolate_leaks_total",
			Help: "How often something had come to select a quarantined pod.",
		}),
		now: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_leaking_pods",
			Help: "Quarantined pods that something selects and that could not be taken out again yet.",
		}),
		pods: map[types.NamespacedName]time.Time{},
	}
	for _, collector := range []prometheus.Collector{m.total, m.now} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func (m *leakMetrics) found() { m.total.Inc() }

// leaking notes that something selects the pod, and returns since when. It counts as
// one leak until the pod is out.
func (m *leakMetrics) leaking(pod types.NamespacedName, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	since, known := m.pods[pod]
	if !known {
		since = now
		m.pods[pod] = now
		m.found()
		m.now.Set(float64(len(m.pods)))
	}
	return since
}

func (m *leakMetrics) out(pod types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pods, pod)
	m.now.Set(float64(len(m.pods)))
}
