package expiration

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// DeleteResult is how a delete request ended. It is a label of a metric.
type DeleteResult string

const (
	// DeleteAccepted means that the API server has accepted the deletion.
	DeleteAccepted DeleteResult = "deleted"
	// DeleteGone means that the pod was already gone.
	DeleteGone DeleteResult = "gone"
	// DeleteConflict means that the pod is no longer the one that was checked. It is
	// checked again.
	DeleteConflict DeleteResult = "conflict"
	// DeleteFailed means that the API server refused or could not be reached. The
	// deletion is retried.
	DeleteFailed DeleteResult = "failed"
)

// metrics count deletions. No label names a pod or a user.
type metrics struct {
	deletions *prometheus.CounterVec
	lag       prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deletions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "isolate_deletions_total",
			Help: "Delete requests for expired pods, by result.",
		}, []string{"result"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "isolate_deletion_lag_seconds",
			Help:    "Time from a pod's expiry to its deletion. If a hold was withdrawn after the expiry, that time is included.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 14),
		}),
	}
	for _, result := range []DeleteResult{DeleteAccepted, DeleteGone, DeleteConflict, DeleteFailed} {
		m.deletions.WithLabelValues(string(result))
	}
	return m, errors.Join(registry.Register(m.deletions), registry.Register(m.lag))
}

func (m *metrics) count(result DeleteResult) { m.deletions.WithLabelValues(string(result)).Inc() }
