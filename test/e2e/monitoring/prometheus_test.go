package monitoring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
)

// server is a running Prometheus.
type server struct {
	*testing.T
	url string
}

// startPrometheus starts Prometheus with the component's alerts. It scrapes the running
// programs as the ServiceMonitors say, and the API server.
func startPrometheus(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	rules(t, filepath.Join(dir, "rules.yaml"))
	config, err := json.Marshal(map[string]any{ // JSON is YAML.
		"global":         map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{"rules.yaml"},
		"scrape_configs": []any{scrapeConfig(t, "webhook"), scrapeConfig(t, "sweeper"), scrapeAPIServer(t, dir)},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yaml"), config, 0o600))
	ports, err := controlplane.FreePorts(1)
	require.NoError(t, err)
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	process, err := controlplane.StartProcess(dir, "prometheus", filepath.Join(prometheusDir, "prometheus"),
		"--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--web.listen-address="+address)
	require.NoError(t, err)
	t.Cleanup(func() {
		process.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(process.Log)
			t.Logf("Prometheus: %s", log)
		}
	})
	s := &server{t, "http://" + address}
	waiting.NoError(t, func() error { _, err := s.tryQuery(t.Context(), "vector(1)"); return err }, "Prometheus answers")
	return s
}

// scrapeConfig is what the Prometheus operator makes of a program's ServiceMonitor.
func scrapeConfig(t *testing.T, program string) map[string]any {
	t.Helper()
	monitor := component(t)["ServiceMonitor/isolate-"+program]
	require.NotNil(t, monitor)
	endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	require.NoError(t, err)
	require.Len(t, endpoints, 1)
	honorLabels, _, err := unstructured.NestedBool(endpoints[0].(map[string]any), "honorLabels")
	require.NoError(t, err)
	var targets []any
	for i, replica := range isolated.Programs() {
		if replica.Name == program && replica.Running() {
			targets = append(targets, map[string]any{
				"targets": []string{strings.TrimPrefix(replica.MetricsURL, "http://")},
				"labels": map[string]string{
					"namespace": installation.Namespace, "service": "isolate-" + program + "-metrics", "pod": fmt.Sprint(program, "-", i),
				},
			})
		}
	}
	require.NotEmpty(t, targets)
	return map[string]any{"job_name": "isolate-" + program, "honor_labels": honorLabels, "static_configs": targets}
}

func scrapeAPIServer(t *testing.T, dir string) map[string]any {
	t.Helper()
	config := cluster.Config()
	for name, data := range map[string][]byte{"ca.crt": config.CAData, "tls.crt": config.CertData, "tls.key": config.KeyData} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	address, err := url.Parse(config.Host)
	require.NoError(t, err)
	return map[string]any{
		"job_name": "apiserver", "scheme": "https", "scrape_interval": "5s", "scrape_timeout": "5s",
		"tls_config":     map[string]string{"ca_file": "ca.crt", "cert_file": "tls.crt", "key_file": "tls.key"},
		"static_configs": []any{map[string]any{"targets": []string{address.Host}}},
	}
}

// result is a sample of an instant vector.
type result struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// tryQuery returns the result of an expression now, without samples that are not a number.
func (s *server) tryQuery(ctx context.Context, expr string) ([]result, error) {
	var answer struct {
		Result []result `json:"result"`
	}
	if err := s.get(ctx, "query", url.Values{"query": {expr}}, &answer); err != nil {
		return nil, err
	}
	var found []result
	for _, r := range answer.Result {
		if r.Value[1] != "NaN" {
			found = append(found, r)
		}
	}
	return found, nil
}

// has waits until an expression has a result.
func (s *server) has(expr string) {
	s.Helper()
	waiting.NoError(s, func() error {
		found, err := s.tryQuery(s.Context(), expr)
		if err == nil && len(found) == 0 {
			err = errors.New("no data")
		}
		return err
	}, "Prometheus has %s", expr)
}

// get calls Prometheus' API.
func (s *server) get(ctx context.Context, path string, query url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s answered %s: %w", path, response.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}
