package webhook

import (
	"github.com/prometheus/client_golang/prometheus"

	"isolate.example.io/quarantine"
	"isolate.example.io/webhook/budget"
)

var descBudgetUsed = prometheus.NewDesc("isolate_budget_used_ratio",
	"How much of a budget the quarantined pods of a namespace use: budget=namespace is the namespace's own, "+
		"budget=controller that of the controller which uses most of its own. No quarantine without force from 1.",
	[]string{"namespace", "budget"}, nil)

// budgetCollector publishes the use of the budgets of each namespace with quarantined pods.
type budgetCollector struct {
	used       func() map[string]budget.Use
	namespaces *NamespaceConfigs
	config     quarantine.Config
}

// Describe implements [prometheus.Collector].
func (c budgetCollector) Describe(descs chan<- *prometheus.Desc) { descs <- descBudgetUsed }

// Collect implements [prometheus.Collector].
func (c budgetCollector) Collect(metrics chan<- prometheus.Metric) {
	for namespace, used := range c.used() {
		annotations, err := c.namespaces.NamespaceConfig(namespace)
		if err != nil {
			return // The limits are unknown.
		}
		config, _ := c.config.ForNamespace(annotations) // Invalid annotations are ignored, as in a decision.
		gauge := func(budget string, pods, limit int) {
			if limit > 0 {
				metrics <- prometheus.MustNewConstMetric(descBudgetUsed, prometheus.GaugeValue, float64(pods)/float64(limit), namespace, budget)
			}
		}
		gauge("namespace", used.All, config.NamespaceBudget)
		gauge("controller", used.Controller, config.ControllerBudget)
	}
}
