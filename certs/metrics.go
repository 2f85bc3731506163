package certs

import (
	"crypto/x509"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
)

// metrics are those of the self-signed authority. Only the leader has values.
type metrics struct {
	notAfter *prometheus.GaugeVec
	blocked  prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		notAfter: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "isolate_certificate_not_after_timestamp_seconds",
			Help: "When what isolate's authority keeps in its Secrets ends: certificate=ca is the authority, certificate=serving the webhook's.",
		}, []string{"certificate"}),
		blocked: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_certificate_blocked",
			Help: "1 where something keeps isolate from keeping the webhook's certificate; the log and an event say what to do.",
		}),
	}
	for _, collector := range []prometheus.Collector{m.notAfter, m.blocked} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(s State, step Step) {
	m.blocked.Set(0)
	if step.Action == ActionStop {
		m.blocked.Set(1)
	}
	for name, secret := range map[string]*corev1.Secret{"ca": s.CA, "serving": s.Serving} {
		m.notAfter.DeleteLabelValues(name)
		if secret == nil {
			continue
		}
		if certs := certificates(secret.Data[corev1.TLSCertKey]); len(certs) > 0 {
			m.notAfter.WithLabelValues(name).Set(ends(certs[0]))
		}
	}
}

func ends(c *x509.Certificate) float64 { return float64(c.NotAfter.Unix()) }

// RegisterServing registers the metrics of the certificate that the webhook serves
// with.
func RegisterServing(registry prometheus.Registerer, files *Files) error {
	return errors.Join(
		registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "isolate_serving_certificate_not_after_timestamp_seconds",
			Help: "When the certificate ends that this replica serves with, 0 if there is none yet.",
		}, func() float64 {
			current, err := files.GetCertificate(nil)
			if err != nil {
				return 0
			}
			return ends(current.Leaf)
		})),
		registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "isolate_serving_certificate_outside_validity",
			Help: "1 where the certificate that this replica serves with is not valid at its machine's time.",
		}, func() float64 {
			if files.outside.Load() {
				return 1
			}
			return 0
		})),
	)
}
