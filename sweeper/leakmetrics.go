package sweeper

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// leakMetrics count leaks, and know which pods are still selected.
type leakMetrics struct {
	total prometheus.Counter
	now   prometheus.Gauge

	mu   sync.Mutex
	pods map[types.NamespacedName]bool
}

func newLeakMetrics(registry prometheus.Registerer) (*leakMetrics, error) {
	m := &leakMetrics{
		total: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "isolate_leaks_total",
			Help: "How often something was found to select a quarantined pod.",
		}),
		now: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_leaking_pods",
			Help: "Quarantined pods that something selects and that could not be taken out again yet.",
		}),
		pods: map[types.NamespacedName]bool{},
	}
	for _, collector := range []prometheus.Collector{m.total, m.now} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func (m *leakMetrics) found() { m.total.Inc() }

func (m *leakMetrics) leaking(pod types.NamespacedName) { m.note(pod, true) }

func (m *leakMetrics) out(pod types.NamespacedName) { m.note(pod, false) }

func (m *leakMetrics) note(pod types.NamespacedName, leaking bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if leaking {
		m.pods[pod] = true
	} else {
		delete(m.pods, pod)
	}
	m.now.Set(float64(len(m.pods)))
}
