package leakguard

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// metrics count leaks, and remember which pods still leak.
type metrics struct {
	total   prometheus.Counter
	leaking prometheus.Gauge

	mu   sync.Mutex
	pods map[types.NamespacedName]time.Time // the leaking pods, and since when
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		total: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "isolate_leaks_total",
			Help: "How often something started to select a quarantined pod.",
		}),
		leaking: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_leaking_pods",
			Help: "Quarantined pods that something selects and that could not be detached yet.",
		}),
		pods: map[types.NamespacedName]time.Time{},
	}
	return m, errors.Join(registry.Register(m.total), registry.Register(m.leaking))
}

// leaks records that something selects the pod, and returns since when. It counts as one
// leak until the pod is detached.
func (m *metrics) leaks(pod types.NamespacedName, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	since, known := m.pods[pod]
	if !known {
		since = now
		m.pods[pod] = now
		m.total.Inc()
		m.leaking.Set(float64(len(m.pods)))
	}
	return since
}

// detached records that nothing selects the pod.
func (m *metrics) detached(pod types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pods, pod)
	m.leaking.Set(float64(len(m.pods)))
}
