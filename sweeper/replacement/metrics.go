package replacement

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	missing prometheus.Gauge
	took    prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		missing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_missing_replacements",
			Help: "Quarantined pods whose former controller has been short of pods since some minutes after the quarantine.",
		}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "isolate_quarantine_replacement_seconds",
			Help: "Time from a quarantine until the pod's former controller had all its pods available again. " +
				"It is measured in steps of a second, or of a tenth of the time.",
			Buckets: []float64{3, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600},
		}),
	}
	return m, errors.Join(registry.Register(m.missing), registry.Register(m.took))
}

// moved counts a pod whose replacement moved from one state to another.
func (m *metrics) moved(from, to state) {
	if from == missing {
		m.missing.Dec()
	}
	if to == missing {
		m.missing.Inc()
	}
}
