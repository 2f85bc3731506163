package budget

import "github.com/prometheus/client_golang/prometheus"

// Cause is why an admitted quarantine was not stored, as far as the webhook can tell. It is
// a label of a metric.
type Cause string

const (
	// CauseNoSuchPod means that the API server has no pod of that name and UID: the review
	// was forged, or the pod was deleted at that moment.
	CauseNoSuchPod Cause = "no_such_pod"
	// CauseNotStored means that the watch did not show the quarantine in time: another
	// webhook or a policy refused the write, or the review was forged.
	CauseNotStored Cause = "not_stored"
	// CauseTooMany means that there were more admissions at a time than an API server
	// makes.
	CauseTooMany Cause = "too_many"
)

func newUnstoredCounter() *prometheus.CounterVec {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "isolate_unstored_quarantines_total",
		Help: "Quarantines that the webhook admitted and that were not stored, by cause: the write was refused later, or the review was forged.",
	}, []string{"cause"})
	for _, cause := range []Cause{CauseNoSuchPod, CauseNotStored, CauseTooMany} {
		counter.WithLabelValues(string(cause))
	}
	return counter
}

// Describe implements [prometheus.Collector].
func (t *Tracker) Describe(descs chan<- *prometheus.Desc) { t.unstored.Describe(descs) }

// Collect implements [prometheus.Collector].
func (t *Tracker) Collect(metrics chan<- prometheus.Metric) {
	t.mu.Lock()
	t.expire()
	t.mu.Unlock()
	t.unstored.Collect(metrics)
}
