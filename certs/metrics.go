package certs

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// RegisterMetrics registers the metrics of the certificate that this replica of the
// webhook serves with.
func (s *FileSource) RegisterMetrics(registry prometheus.Registerer) error {
	return errors.Join(
		registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "isolate_serving_certificate_not_after_timestamp_seconds",
			Help: "When the certificate that this replica serves with expires, 0 if there is none yet.",
		}, func() float64 {
			current, err := s.GetCertificate(nil)
			if err != nil {
				return 0
			}
			return float64(current.Leaf.NotAfter.Unix())
		})),
		registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "isolate_serving_certificate_outside_validity",
			Help: "1 if the certificate that this replica serves with is not valid by its machine's clock.",
		}, func() float64 {
			if s.outside.Load() {
				return 1
			}
			return 0
		})),
	)
}
