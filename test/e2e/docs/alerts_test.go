package docs

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/installation"
	builder "isolate.example.io/test/framework/manifests"
)

// rules are what a PrometheusRule has, as far as it matters here.
type rules struct {
	Spec struct {
		Groups []struct {
			Rules []alert `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

type alert struct {
	Name        string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

const monitoring = "manifests/components/monitoring"

// runbook begins the address of what to do about an alert.
const runbook = "https://isolate.example.io/docs/on-call.md#"

// alerts returns the alerts as kustomize builds them.
func alerts(t *testing.T) []alert {
	t.Helper()
	shipped := filepath.Join(root, "manifests")
	overlay, err := builder.WithComponent(filepath.Join(t.TempDir(), "overlay"), shipped, "base", "components/monitoring")
	require.NoError(t, err)
	objects, err := builder.Build(t.Context(), cluster.Kubectl(), shipped, overlay)
	require.NoError(t, err)
	var found rules
	for _, object := range objects {
		if object.GetKind() == "PrometheusRule" {
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &found))
		}
	}
	require.Len(t, found.Spec.Groups, 1)
	require.NotEmpty(t, found.Spec.Groups[0].Rules)
	return found.Spec.Groups[0].Rules
}

func TestAlertsHaveSummaryAndRunbook(t *testing.T) {
	anchors := readPage(t, "docs/on-call.md").anchors()
	for _, alert := range alerts(t) {
		anchor, found := strings.CutPrefix(alert.Annotations["runbook_url"], runbook)
		require.True(t, found, alert.Name)
		require.Equal(t, strings.ToLower(alert.Name), anchor)
		require.Contains(t, anchors, anchor)
		require.Regexp(t, `^\S.*\. [A-Z].*\.$|: .*\.$`, alert.Annotations["summary"], "what it means, and what to do")
		require.Contains(t, []string{"critical", "warning", "info"}, alert.Labels["severity"], alert.Name)
	}
}

// Or an alert on a metric that was renamed would never fire. (That the expressions can be
// parsed, and that each alert fires, is tested by the suite monitoring.)
func TestAlertMetricsExist(t *testing.T) {
	provokeFailure(t)
	until(t, func(ctx context.Context) bool {
		_, err := admin.CoreV1().Pods(metav1.NamespaceDefault).Patch(ctx, "unlucky", types.MergePatchType, trigger, metav1.PatchOptions{})
		return err == nil && len(published(ctx).matching(metric{"isolate_quarantined_pods", nil})) > 0
	}, "the sweeper leads, and knows a quarantined pod")
	all := published(t.Context())
	for _, alert := range alerts(t) {
		wanted := metrics(t, alert.Expr)
		require.NotEmpty(t, wanted, alert.Name)
		for _, m := range wanted {
			require.NotEmpty(t, all.matching(m), "%s asks for %s %v, which nobody publishes", alert.Name, m.name, m.labels)
		}
	}
}

// metric is what an expression asks for.
type metric struct {
	name   string
	labels map[string]string
}

var (
	window   = regexp.MustCompile(`\[[0-9a-z]+\]`)
	grouping = regexp.MustCompile(` by \([^)]*\) `)
	selector = regexp.MustCompile(`([a-z_][a-z0-9_]*)(\{[^}]*\})?(\()?`)
	matcher  = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
)

// metrics are those of an expression: the names that are no functions.
func metrics(t *testing.T, expr string) []metric {
	t.Helper()
	var found []metric
	for _, match := range selector.FindAllStringSubmatch(grouping.ReplaceAllString(window.ReplaceAllString(expr, ""), ""), -1) {
		if match[3] != "" {
			continue
		}
		m := metric{match[1], map[string]string{}}
		matchers := matcher.FindAllStringSubmatch(match[2], -1)
		require.Len(t, matchers, strings.Count(match[2], "="), "matchers other than = are not read by this test: %s", expr)
		for _, pair := range matchers {
			m.labels[pair[1]] = pair[2]
		}
		found = append(found, m)
	}
	return found
}

// series are all that both programs and the API server publish.
type series []metric

func (s series) matching(wanted metric) series {
	var found series
	for _, m := range s {
		matches := m.name == wanted.name
		for name, value := range wanted.labels {
			matches = matches && m.labels[name] == value
		}
		if matches {
			found = append(found, m)
		}
	}
	return found
}

// published returns what is published now, without the programs that do not answer.
func published(ctx context.Context) series {
	var all series
	parser := expfmt.NewTextParser(model.LegacyValidation)
	add := func(text io.Reader) {
		families, _ := parser.TextToMetricFamilies(text)
		for name, family := range families {
			for _, one := range family.GetMetric() {
				m := metric{name, map[string]string{}}
				for _, label := range one.GetLabel() {
					m.labels[label.GetName()] = label.GetValue()
				}
				all = append(all, m)
			}
		}
	}
	for _, program := range isolated.Programs() {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, program.MetricsURL+"/metrics", nil)
		if err != nil {
			continue
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			add(response.Body)
			response.Body.Close()
		}
	}
	if text, err := admin.RESTClient().Get().AbsPath("/metrics").Do(ctx).Raw(); err == nil {
		add(bytes.NewReader(text))
	}
	return all
}

// trigger quarantines a pod.
var trigger = []byte(`{"metadata":{"annotations":{"` + quarantine.TriggerKey + `":"true"}}}`)

// provokeFailure has the API server ask a webhook that isn't there.
func provokeFailure(t *testing.T) {
	t.Helper()
	pod, err := admin.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "unlucky"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "unlucky", Image: "unlucky"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, program := range isolated.Programs() {
		if program.Name == "webhook" {
			program.Kill()
		}
	}
	_, err = admin.CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.MergePatchType, trigger, metav1.PatchOptions{})
	require.ErrorContains(t, err, "failed calling webhook")
	_, err = isolated.StartWebhook(t.Context())
	require.NoError(t, err)
}

func TestServiceMonitorsReachThePrograms(t *testing.T) {
	for _, program := range []string{"webhook", "sweeper"} {
		t.Run(program, func(t *testing.T) { requireScraped(t, program) })
	}
}

// requireScraped fails unless Prometheus reaches a program: a ServiceMonitor selects a
// Service, and the Service names a port of the pods.
func requireScraped(t *testing.T, program string) {
	t.Helper()
	var service corev1.Service
	var monitor struct {
		Spec struct {
			Selector  metav1.LabelSelector `json:"selector"`
			Endpoints []struct {
				Port string `json:"port"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	var deployment appsv1.Deployment
	for file, into := range map[string]any{
		filepath.Join(monitoring, program+"-metrics-service.yaml"):  &service,
		filepath.Join(monitoring, program+"-servicemonitor.yaml"):   &monitor,
		filepath.Join("manifests/base", program+"-deployment.yaml"): &deployment,
	} {
		require.NoError(t, yaml.Unmarshal([]byte(readPage(t, file).text), into))
	}
	require.Equal(t, installation.Namespace, service.Namespace)
	require.Subset(t, service.Labels, monitor.Spec.Selector.MatchLabels)
	require.Subset(t, deployment.Spec.Template.Labels, service.Spec.Selector)
	require.Len(t, monitor.Spec.Endpoints, 1)
	require.Equal(t, monitor.Spec.Endpoints[0].Port, service.Spec.Ports[0].Name)
	require.Condition(t, func() bool {
		return slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Ports, func(port corev1.ContainerPort) bool {
			return port.Name == service.Spec.Ports[0].TargetPort.StrVal
		})
	}, "no port of the pods is called %s", service.Spec.Ports[0].TargetPort.StrVal)
}
