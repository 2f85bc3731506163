package webhook

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"isolate.example.io/quarantine"
	"isolate.example.io/webhook/budget"
)

func TestTheMetricOfReadinessFollowsTheChecks(t *testing.T) {
	var problem error
	registry := prometheus.NewRegistry()
	require.NoError(t, registerReady(registry, map[string]healthz.Checker{
		"certificate": func(*http.Request) error { return problem }, "drain": healthz.Ping,
	}))
	for value, err := range map[string]error{"1": nil, "0": errors.New("no certificate")} {
		problem = err
		require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP isolate_webhook_ready 1 if this replica is ready to answer admission reviews, as /readyz reports.
# TYPE isolate_webhook_ready gauge
isolate_webhook_ready `+value+"\n")))
	}
}

func TestEveryDecisionIsCountedFromZero(t *testing.T) {
	metrics := newMetrics(t)
	require.Equal(t, len(quarantine.Refusals())+6, testutil.CollectAndCount(metrics.decisions))
	metrics.decided(quarantine.Decision{Action: quarantine.ActionDeny, Denial: &quarantine.Denial{Reason: quarantine.Refusals()[0].Reason}}, 0)
	metrics.decided(quarantine.Decision{Action: quarantine.ActionRelease}, 0)
	require.Equal(t, len(quarantine.Refusals())+6, testutil.CollectAndCount(metrics.decisions), "no decision begins a series")
}

func TestTheUseOfBudgetsIsPublishedByNamespace(t *testing.T) {
	config := quarantine.DefaultConfig()
	config.ControllerBudget, config.NamespaceBudget = 4, 10
	namespaces := readNamespaces(t, config, newMetrics(t), logr.Discard())
	require.NoError(t, namespaces.cache.Add(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Annotations: map[string]string{quarantine.NamespaceBudgetKey: "6", quarantine.ControllerBudgetKey: "0"},
	}}))
	used := map[string]budget.Use{"ah": {All: 5, Controller: 4}, "shop": {All: 3, Controller: 3}}
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(budgetCollector{func() map[string]budget.Use { return used }, namespaces, config}))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP isolate_budget_used_ratio How much of a budget the quarantined pods of a namespace use: budget=namespace is the namespace's own, budget=controller that of the controller which uses most of its own. No quarantine without force from 1.
# TYPE isolate_budget_used_ratio gauge
isolate_budget_used_ratio{budget="controller",namespace="ah"} 1
isolate_budget_used_ratio{budget="namespace",namespace="ah"} 0.5
isolate_budget_used_ratio{budget="namespace",namespace="shop"} 0.5
`)), "0 is no limit, so nothing of it is used")
}
