package docs

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

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
