package replacement

import "github.com/prometheus/client_golang/prometheus"

func newMissingGauge(registry prometheus.Registerer) (prometheus.Gauge, error) {
	missing := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "isolate_missing_replacements",
		Help: "Quarantined pods whose former controller has been short of pods since some minutes after the quarantine.",
	})
	return missing, registry.Register(missing)
}
