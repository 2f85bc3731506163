package authority

import (
	"crypto/x509"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
)

// metrics are published by the leader only.
type metrics struct {
	expiry  *prometheus.GaugeVec
	blocked prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "isolate_certificate_not_after_timestamp_seconds",
			Help: "When the certificates that isolate manages expire: certificate=ca is the CA, certificate=serving the webhook's.",
		}, []string{"certificate"}),
		blocked: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "isolate_certificate_blocked",
			Help: "1 if something prevents isolate from managing the webhook's certificate; the log and an event say what to do.",
		}),
	}
	return m, errors.Join(registry.Register(m.expiry), registry.Register(m.blocked))
}

func (m *metrics) observe(s State, step Step) {
	m.blocked.Set(0)
	if step.Action == ActionBlocked {
		m.blocked.Set(1)
	}
	for name, secret := range map[string]*corev1.Secret{"ca": s.CA, "serving": s.Serving} {
		m.expiry.DeleteLabelValues(name)
		if secret == nil {
			continue
		}
		if certs := certificates(secret.Data[corev1.TLSCertKey]); len(certs) > 0 {
			m.expiry.WithLabelValues(name).Set(notAfter(certs[0]))
		}
	}
}

func notAfter(c *x509.Certificate) float64 { return float64(c.NotAfter.Unix()) }
