package alertreceiver

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count alerts. No label holds what an alert says.
type metrics struct {
	alerts, refusals *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "isolate_alerts_total",
			Help: "Alerts that the alert receiver has handled, by result.",
		}, []string{"result"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "isolate_alert_refusals_total",
			Help: "Alerts and requests that the alert receiver has refused, by reason.",
		}, []string{"reason"}),
	}
	for _, result := range Results() {
		m.alerts.WithLabelValues(string(result))
	}
	for _, reason := range Reasons() {
		m.refusals.WithLabelValues(string(reason))
	}
	return m, errors.Join(registry.Register(m.alerts), registry.Register(m.refusals))
}

func (m *metrics) handled(result Result) { m.alerts.WithLabelValues(string(result)).Inc() }

func (m *metrics) refused(reason Reason) { m.refusals.WithLabelValues(string(reason)).Inc() }
