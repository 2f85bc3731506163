package selectors

import "github.com/prometheus/client_golang/prometheus"

var (
	watchedDesc = prometheus.NewDesc("isolate_watched_resource_synced",
		"Whether everything of a resource that selects pods is known: 0 while it can't be read, and nothing can be quarantined.",
		[]string{"resource"}, nil)
	absentDesc = prometheus.NewDesc("isolate_watched_resource_absent",
		"Whether a custom resource of --selecting-resource is not served by the API server and is waited for.",
		[]string{"resource"}, nil)
)

// Describe implements [prometheus.Collector].
func (w *Watcher) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- watchedDesc
	descriptions <- absentDesc
}

// Collect implements [prometheus.Collector].
func (w *Watcher) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(description *prometheus.Desc, resource string, is bool) {
		value := 0.0
		if is {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, resource)
	}
	for _, k := range w.kinds {
		gauge(watchedDesc, k.Resource(), k.Err() == nil)
	}
	for _, c := range w.custom {
		gauge(watchedDesc, c.GroupResource().String(), c.Err() == nil)
		gauge(absentDesc, c.GroupResource().String(), c.absent())
	}
}
