package events

import "github.com/prometheus/client_golang/prometheus"

func newDroppedCounter() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "isolate_events_dropped_total",
		Help: "Events that were not published: the API server kept refusing them, or too many were pending.",
	})
}
