package startupscan

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics have values only after a scan, so only on the leader.
type metrics struct {
	unlabelled, ignored *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		unlabelled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "isolate_unlabelled_records",
			Help: "Pods that had a part of a record without the label when the leader started. isolate does not delete them.",
		}, nil),
		ignored: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "isolate_ignored_triggers",
			Help: "Pods that had the trigger but were never quarantined when the leader started.",
		}, nil),
	}
	return m, errors.Join(registry.Register(m.unlabelled), registry.Register(m.ignored))
}

func (m *metrics) set(found findings) {
	m.unlabelled.WithLabelValues().Set(float64(found.unlabelled))
	m.ignored.WithLabelValues().Set(float64(found.ignored))
}
