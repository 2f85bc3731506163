package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/waiting"
)

// panel is a panel of the dashboard.
type panel struct {
	ID         int    `json:"id"`
	Type       string `json:"type"`
	Title      string `json:"title"`
	Datasource struct {
		UID string `json:"uid"`
	} `json:"datasource"`
	GridPos struct{ X, Y, W, H int } `json:"gridPos"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// dashboard returns the panels of the dashboard.
func dashboard(t *testing.T) []panel {
	t.Helper()
	object := component(t)["ConfigMap/isolate-dashboard"]
	require.NotNil(t, object)
	require.Equal(t, map[string]string{"grafana_dashboard": "1"}, object.GetLabels())
	text, found, err := unstructured.NestedString(object.Object, "data", "isolate.json")
	require.NoError(t, err)
	require.True(t, found)
	var parsed struct {
		UID    string  `json:"uid"`
		Panels []panel `json:"panels"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &parsed))
	require.Equal(t, "isolate", parsed.UID)
	require.NotEmpty(t, parsed.Panels)
	return parsed.Panels
}

// columns are those of Grafana's grid.
const columns = 24

func TestThePanelsFillTheGridWithoutOverlap(t *testing.T) {
	taken, ids, bottom := map[[2]int]string{}, map[int]bool{}, 0
	for _, p := range dashboard(t) {
		require.NotEmpty(t, p.Title)
		require.False(t, ids[p.ID], "two panels have the ID %d", p.ID)
		ids[p.ID] = true
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, columns, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s overlaps", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
	}
	require.Len(t, taken, columns*bottom, "the grid has a hole")
}

// variables replaces Grafana's variables as Grafana does.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__range", "10m", "$namespace", ".*")

func TestAfterAnIncident(t *testing.T) {
	provokeFailure(t)
	s := startPrometheus(t)
	// Only what grows after it was scraped first is an increase.
	s.has(`isolate_admission_decisions_total{action="Deny"}`)
	s.has("isolate_quarantine_replacement_seconds_bucket")
	s.has("apiserver_admission_webhook_rejection_count")
	expired, kept := playIncident(t)
	t.Run("every panel has data", func(t *testing.T) {
		s := &server{t, s.url}
		for _, p := range dashboard(t) {
			require.Equal(t, p.Type != "text", len(p.Targets) > 0, p.Title)
			for _, target := range p.Targets {
				s.has(variables.Replace(target.Expr))
			}
		}
	})
	t.Run("the programs publish what dashboard and alerts ask for", func(t *testing.T) {
		s := &server{t, s.url}
		for _, p := range dashboard(t) {
			for _, target := range p.Targets {
				s.requirePublished(variables.Replace(target.Expr))
			}
		}
		for _, rule := range rules(t, filepath.Join(t.TempDir(), "rules.yaml")) {
			s.requirePublished(rule.Expr)
		}
	})
	t.Run("the quarantined pod is announced", func(t *testing.T) { requireAnnounced(&server{t, s.url}) })
	t.Run("no metric has the name of a pod or a user", func(t *testing.T) {
		for _, program := range isolated.Programs() {
			if !program.Running() {
				continue
			}
			text, err := program.Metrics(t.Context())
			require.NoError(t, err)
			for _, name := range []string{expired, kept, "system:admin"} {
				require.NotContains(t, text, name)
			}
		}
	})
}

// requireAnnounced checks the one alert that an incident gives.
func requireAnnounced(s *server) {
	type alert struct {
		Labels, Annotations map[string]string
		State               string
	}
	waiting.NoError(s, func() error {
		var answer struct{ Alerts []alert }
		if err := s.get(s.Context(), "alerts", nil, &answer); err != nil {
			return err
		}
		for _, a := range answer.Alerts {
			if a.Labels["alertname"] == "IsolatePodQuarantined" && a.State == "firing" {
				require.Equal(s, map[string]string{"alertname": "IsolatePodQuarantined", "namespace": "ah", "severity": "info"}, a.Labels)
				require.Equal(s, map[string]string{
					"summary":     "Quarantined pods in namespace ah: 1. To list them, run kubectl isolate list -n ah.",
					"runbook_url": "https://isolate.example.io/docs/on-call.md#isolatepodquarantined",
				}, a.Annotations)
				return nil
			}
		}
		return os.ErrNotExist
	}, "IsolatePodQuarantined fires")
}

// provokeFailure has the API server call a webhook that is not there.
func provokeFailure(t *testing.T) {
	t.Helper()
	kubectl.Run(t, cluster, "run", "unlucky", "--image=unlucky")
	for _, program := range isolated.Programs() {
		if program.Name == "webhook" {
			program.Kill()
		}
	}
	out, err := kubectl.Try(t.Context(), cluster, nil, "annotate", "pod", "unlucky", quarantine.TriggerKey+"=true")
	require.Error(t, err)
	require.Contains(t, out, "failed calling webhook")
	_, err = isolated.StartWebhook(t.Context())
	require.NoError(t, err)
}

// incident returns the file of the demo's objects.
func incident(t *testing.T) string {
	t.Helper()
	objects, err := template.ParseFiles(filepath.Join(root, "test/cmd/demo/incident.yaml"))
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "incident.yaml"))
	require.NoError(t, err)
	require.NoError(t, objects.Execute(file, map[string]any{"Namespace": "ah", "Image": "example.com/login-audit-trail-service:1.0.0", "Real": false}))
	require.NoError(t, file.Close())
	return file.Name()
}

// playIncident plays the demo's incident: one of two pods is quarantined, replaced, and
// expires. Another is refused first, and then kept.
func playIncident(t *testing.T) (expired, kept string) {
	t.Helper()
	kubectl.Run(t, cluster, "apply", "-f", incident(t))
	const deployment = "deployment/login-audit-trail-service"
	kubectl.Run(t, cluster, "rollout", "status", "-n", "ah", deployment)
	annotate := func(pod string, annotations ...string) (string, error) {
		return kubectl.Try(t.Context(), cluster, nil, append([]string{"annotate", "-n", "ah", "pod", pod}, annotations...)...)
	}
	pods := strings.Fields(kubectl.Run(t, cluster, "get", "pods", "-n", "ah", "-o", "jsonpath={.items[*].metadata.name}"))
	require.Len(t, pods, 2)
	expired, kept = pods[0], pods[1]
	waiting.NoError(t, func() error {
		_, err := annotate(expired, quarantine.TriggerKey+"=true", quarantine.TTLKey+"=20s")
		return err
	}, "the webhook's Service reaches the new replica")
	kubectl.Run(t, cluster, "wait", "-n", "ah", "--for=delete", "pod/"+expired, "--timeout=5m")
	kubectl.Run(t, cluster, "rollout", "status", "-n", "ah", deployment)
	out, err := annotate(kept, quarantine.TriggerKey+"=true", quarantine.TTLKey+"=never")
	require.Error(t, err, out)
	out, err = annotate(kept, quarantine.TriggerKey+"=true", quarantine.TTLKey+"=1h")
	require.NoError(t, err, out)
	return expired, kept
}
