package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// set is one value, other than its default, and the text that only it renders. The second
// value, if any, is needed for its effect.
type set struct{ value, with, renders string }

// values are all values of the chart, by their path.
var values = map[string]set{
	"image.registry":              {"mirror.example.com", "", "image: mirror.example.com/isolate:dev\n"},
	"image.repository":            {"team/isolate", "", "image: isolate.example.io/team/isolate:dev\n"},
	"image.tag":                   {"v1.2.3", "", "image: isolate.example.io/isolate:v1.2.3\n"},
	"image.digest":                {"sha256:" + digest, "", "image: isolate.example.io/isolate@sha256:" + digest + "\n"},
	"image.pullPolicy":            {"Always", "", "        imagePullPolicy: Always\n"},
	"imagePullSecrets":            {`[{"name": "pull"}]`, "", `imagePullSecrets: [{"name":"pull"}]`},
	"webhook.replicas":            {"3", "", "  replicas: 3\n"},
	"webhook.resources":           {`{"requests": {"cpu": "60m"}}`, "", "            cpu: 60m\n"},
	"webhook.extraArgs":           {`["--rewrite-label=team"]`, "", "        - \"--rewrite-label=team\"\n"},
	"sweeper.replicas":            {"1", "", "  replicas: 1\n"},
	"sweeper.resources":           {`{"limits": {"memory": "300Mi"}}`, "", "            memory: 300Mi\n"},
	"sweeper.extraArgs":           {`["--workers=8"]`, "", "        - \"--workers=8\"\n"},
	"quarantine.defaultTTL":       {"12h", "", "        - --default-ttl=12h\n"},
	"quarantine.maxTTL":           {"7d", "", "        - --max-ttl=7d\n"},
	"quarantine.controllerBudget": {"0", "", "        - --controller-budget=0\n"},
	"quarantine.namespaceBudget":  {"1000000", "", "        - --namespace-budget=1000000\n"},
	"certManager":                 {"true", "", "    cert-manager.io/inject-ca-from: isolate-system/isolate-ca\n"},
	"hostNetwork":                 {"true", "", "      hostNetwork: true\n"},
	"networkIsolation":            {`["shop", "ah"]`, "", "  namespace: ah\n"},
	"alertReceiver.enabled":       {"true", "", "        command: [/alert-receiver]\n"},
	"alertReceiver.replicas":      {"4", "alertReceiver.enabled", "  replicas: 4\n"},
	"alertReceiver.namespaces":    {`["shop"]`, "alertReceiver.enabled", "        - --allowed-namespace=shop\n"},
	"alertReceiver.alerts":        {`["PodServesErrors"]`, "alertReceiver.enabled", "        - --allowed-alert=PodServesErrors\n"},
	"alertReceiver.resources":     {`{"requests": {"cpu": "70m"}}`, "alertReceiver.enabled", "            cpu: 70m\n"},
	"alertReceiver.extraArgs":     {`["--cert-dir=/tls"]`, "alertReceiver.enabled", "        - \"--cert-dir=/tls\"\n"},
	"monitoring.serviceMonitors":  {"true", "", "kind: ServiceMonitor\n"},
	"monitoring.rules":            {"true", "", "kind: PrometheusRule\n"},
	"monitoring.runbook":          {"https://docs.example.com/on-call", "monitoring.rules", "runbook_url: \"https://docs.example.com/on-call#isolatewebhookdown\"\n"},
	"monitoring.dashboard":        {"true", "", "    grafana_dashboard: \"1\"\n"},
	"monitoring.labels":           {`{"release": "prometheus"}`, "monitoring.rules", "    release: prometheus\n"},
	"priorityClassName":           {"critical", "", "      values: [critical]\n"},
	"nodeSelector":                {`{"zone": "a"}`, "", `nodeSelector: {"zone":"a"}`},
	"tolerations":                 {`[{"operator": "Exists"}]`, "", `tolerations: [{"operator":"Exists"}]`},
	"affinity":                    {`{"nodeAffinity": {}}`, "", `affinity: {"nodeAffinity":{}}`},
	"commonLabels":                {`{"team": "sre"}`, "", "        team: sre\n"},
	"namespace.create":            {"true", "", "kind: Namespace\n"},
}

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestEveryValueHasItsEffect(t *testing.T) {
	t.Parallel()
	initial := render(t)
	for path, s := range values {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.NotContains(t, initial, s.renders)
			flags := []string{path + "=" + s.value}
			if s.with != "" {
				flags = append(flags, s.with+"="+values[s.with].value)
			}
			require.Contains(t, renderJSON(t, flags...), s.renders)
		})
	}
	var all []string
	for path, s := range values {
		all = append(all, path+"="+s.value)
	}
	everything := renderJSON(t, all...)
	for path, s := range values {
		if path == "image.tag" || path == "image.registry" || path == "image.repository" || path == "image.digest" {
			continue // Together they make one name.
		}
		require.Contains(t, everything, s.renders, path)
	}
	require.Contains(t, everything, "image: mirror.example.com/team/isolate@sha256:"+digest+"\n")
}

// The table of the test has every value of the chart, and no other.
func TestNoValueIsForgotten(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	require.NoError(t, err)
	var tree map[string]any
	require.NoError(t, yaml.Unmarshal(data, &tree))
	unknown := map[string]bool{}
	var walk func(prefix string, tree map[string]any)
	walk = func(prefix string, tree map[string]any) {
		for name, value := range tree {
			if _, known := values[prefix+name]; known {
				unknown[prefix+name] = true
			} else if children, ok := value.(map[string]any); ok && len(children) > 0 {
				walk(prefix+name+".", children)
			} else {
				t.Errorf("no test sets %s", prefix+name)
			}
		}
	}
	walk("", tree)
	require.Len(t, unknown, len(values))
}

func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for value, message := range map[string]string{
		`webhook.replica=3`:                                  "additional properties 'replica' not allowed",
		`certmanager=true`:                                   "additional properties 'certmanager' not allowed",
		`webhook.replicas=0`:                                 "minimum: got 0, want 1",
		`webhook.replicas="two"`:                             "got string, want integer",
		`image.digest="e3b0c442"`:                            "does not match pattern",
		`quarantine.controllerBudget=-1`:                     "minimum: got -1, want 0",
		`quarantine.defaultTTL=24`:                           "got number, want null or string",
		`webhook.extraArgs=["rewrite-label=team"]`:           "does not match pattern",
		`commonLabels={"app.kubernetes.io/name": "webhook"}`: "'not' failed",
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			out, err := helmCommand(t.Context(), "template", release, chart, "--set-json="+value).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), message)
		})
	}
}

func TestTheChartNeedsKubernetes130(t *testing.T) {
	t.Parallel()
	out, err := helmCommand(t.Context(), "template", release, chart, "--kube-version=1.29.14").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "chart requires kubeVersion: >= 1.30.0-0")
	require.NoError(t, helmCommand(t.Context(), "template", release, chart, "--kube-version=1.30.0-gke.100").Run())
}

func TestHelmLint(t *testing.T) {
	t.Parallel()
	out, err := helmCommand(t.Context(), "lint", "--strict", chart).CombinedOutput()
	require.NoError(t, err, string(out))
}

// renderJSON is render with values as JSON; those that are no JSON are text.
func renderJSON(t *testing.T, values ...string) string {
	t.Helper()
	args := []string{"template", release, chart, "--namespace=isolate-system", "--skip-tests"}
	for _, value := range values {
		args = append(args, "--set-json="+quoted(value))
	}
	out, err := helmCommand(t.Context(), args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// quoted returns path=value with the value as JSON.
func quoted(set string) string {
	path, value, _ := strings.Cut(set, "=")
	if json.Valid([]byte(value)) {
		return set
	}
	return path + "=" + strconv.Quote(value)
}
