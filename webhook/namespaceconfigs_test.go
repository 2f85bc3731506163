package webhook

import (
	"fmt"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

func newMetrics(t testing.TB) *Metrics {
	t.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	return metrics
}

func unreadNamespaces(config quarantine.Config, metrics *Metrics, logger logr.Logger) *NamespaceConfigs {
	n := newNamespaceConfigs(config, logger, metrics)
	n.cache = watchcache.New("namespaces", nil, &metav1.PartialObjectMetadata{}, n)
	return n
}

func readNamespaces(t testing.TB, config quarantine.Config, metrics *Metrics, logger logr.Logger) *NamespaceConfigs {
	t.Helper()
	n := unreadNamespaces(config, metrics, logger)
	require.NoError(t, n.cache.Replace(nil, ""))
	return n
}

func TestANamespaceConfigIsKnownUntilItsNamespaceIsDeleted(t *testing.T) {
	n := readNamespaces(t, quarantine.DefaultConfig(), newMetrics(t), logr.Discard())
	config := func() map[string]string {
		config, err := n.NamespaceConfig("shop")
		require.NoError(t, err)
		return config
	}
	shop := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Annotations: map[string]string{"other": "x", quarantine.MaxTTLKey: "1h"},
	}}
	require.NoError(t, n.cache.Add(shop))
	require.Equal(t, map[string]string{quarantine.MaxTTLKey: "1h"}, config())
	require.NoError(t, n.cache.Delete(shop))
	require.Empty(t, config())
	require.NoError(t, n.cache.Add(shop))
	require.NoError(t, n.cache.Replace(nil, ""))
	require.Empty(t, config())
}

func TestAnInvalidAnnotationIsLoggedOnceAndCountedWhileItIsThere(t *testing.T) {
	var lines []string
	metrics := newMetrics(t)
	n := readNamespaces(t, quarantine.DefaultConfig(), metrics, funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}))
	shop := func(annotations map[string]string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: annotations}}
	}
	invalid := map[string]string{quarantine.ControllerBudgetKey: "few", quarantine.DefaultTTLKey: "1h"}
	require.NoError(t, n.cache.Add(shop(invalid)))
	require.NoError(t, n.cache.Update(shop(invalid)))
	require.Equal(t, []string{`"msg"="Ignoring an invalid annotation of the Namespace; the flag's value is used" ` +
		`"error"="metadata.annotations[isolate.example.io/controller-budget]: Invalid value: \"few\": must be a whole number, 0 for no limit" ` +
		`"namespace"="shop"`}, lines, fmt.Sprint(lines))
	require.InDelta(t, 1, testutil.ToFloat64(metrics.invalidNamespaceConfigs), 0)
	require.NoError(t, n.cache.Update(shop(map[string]string{quarantine.ControllerBudgetKey: "3"})))
	require.InDelta(t, 0, testutil.ToFloat64(metrics.invalidNamespaceConfigs), 0)
}
