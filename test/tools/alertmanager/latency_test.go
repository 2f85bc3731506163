package alertmanager

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/waiting"
)

const benchmarkPods = 5

// BenchmarkAlertToOutOfTraffic measures from the arrival of an alert at Alertmanager until
// the pod is in no EndpointSlice: with the shipped group_wait of 0s, and with Alertmanager's
// default of 30s.
func BenchmarkAlertToOutOfTraffic(b *testing.B) {
	for name, config := range map[string]string{
		"group_wait=0s":  shipped(b),
		"group_wait=30s": replace(b, shipped(b), "    group_wait: 0s\n", ""),
	} {
		b.Run(name, func(b *testing.B) {
			n := newNamespace(b, benchmarkPods)
			r := startReceiver(b, allow(n)...)
			a := startAlertmanager(b, config, r, newPeople(b))
			var total time.Duration
			for range b.N {
				total += a.outOfTraffic(n)
			}
			b.ReportMetric(total.Seconds()/float64(b.N), "s/quarantine")
		})
	}
}

// outOfTraffic sends an alert about a pod that serves, and returns how long the pod stays in
// traffic. It then deletes the pod, which counts for the budget.
func (a *alertmanager) outOfTraffic(n *namespace) time.Duration {
	a.Helper()
	pod := n.first()
	labelled := map[string]string{}
	for _, label := range labels(pod) {
		name, value, _ := strings.Cut(label, "=")
		labelled[name] = value
	}
	body, err := json.Marshal([]map[string]any{{"labels": labelled}})
	require.NoError(a, err)
	request, err := http.NewRequestWithContext(a.Context(), http.MethodPost, a.url+"/api/v2/alerts", bytes.NewReader(body))
	require.NoError(a, err)
	request.Header.Set("Content-Type", "application/json")
	start := time.Now()
	response, err := http.DefaultClient.Do(request)
	require.NoError(a, err)
	require.NoError(a, response.Body.Close())
	require.Equal(a, http.StatusOK, response.StatusCode)
	waiting.Until(a, func() bool { return !slices.Contains(n.serving(), pod.Name) }, "pod %s is out of traffic", pod.Name)
	took := time.Since(start)
	n.delete(pod.Name, benchmarkPods)
	return took
}
