package podevents

import "github.com/prometheus/client_golang/prometheus"

func newUncheckedCounter(registry prometheus.Registerer) (prometheus.Counter, error) {
	unchecked := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "isolate_releases_unchecked_total",
		Help: "Pods that left the quarantine and were not checked for a release, because too many were pending. Their event Released is missing.",
	})
	return unchecked, registry.Register(unchecked)
}
