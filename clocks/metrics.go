package clocks

import "github.com/prometheus/client_golang/prometheus"

func newSkewGauge() prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "isolate_clock_skew_seconds",
		Help: "How far the API server's clock is at least ahead of the local clock, negative if behind. " +
			"Pods are stamped by the API server's clock, and deleted when both clocks have reached the expiry.",
	})
}
