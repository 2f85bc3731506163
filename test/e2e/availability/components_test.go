package availability

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// monitoringKinds are minimal CRDs for the Prometheus Operator's kinds.
var monitoringKinds = map[string]string{"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}

// The test applies the base with each component: the API server accepts every object
// without a warning and admits the pods. Each is applied over the previous one, as
// when someone adds a component later.
func TestComponentsApplyWithoutWarnings(t *testing.T) {
	c := start(t, controlplane.Options{APIServerFlags: []string{"--admission-control-config-file=" + consumptionLimited(t)}})
	c.apply(customResourceDefinitions(), "-f", "-")
	for _, components := range [][]string{nil, {"monitoring"}, {"monitoring", "host-network"}} {
		c.apply("", "-k", kustomization(t, components...))
		for _, deployment := range []string{"isolate-webhook", "isolate-sweeper"} {
			c.rolledOut(installation.Namespace, deployment)
		}
	}
}

// apply applies with strict validation; a warning is a failure.
func (c *cluster) apply(input string, args ...string) {
	c.Helper()
	var out []byte
	// The API server serves a new CRD a moment after its creation.
	c.until(func() bool {
		cmd := c.KubectlCommand(c.Context(), append([]string{"apply", "--server-side", "--validate=strict", "--warnings-as-errors"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		var err error
		out, err = cmd.CombinedOutput()
		if err != nil && !strings.Contains(string(out), "no matches for kind") {
			require.NoError(c, err, string(out))
		}
		return err == nil
	}, "kubectl apply %v", args)
}

// kustomization writes a kustomization of the base with components to a temporary folder.
func kustomization(t *testing.T, components ...string) string {
	t.Helper()
	root, err := controlplane.Root()
	require.NoError(t, err)
	dir := t.TempDir()
	relative := func(path ...string) string {
		name, err := filepath.Rel(dir, filepath.Join(append([]string{root, "manifests"}, path...)...))
		require.NoError(t, err)
		return name
	}
	lines := []string{"resources:", "- " + relative("base"), "components:"}
	for _, component := range components {
		lines = append(lines, "- "+relative("components", component))
	}
	content := strings.Join(lines, "\n") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(content), 0o600))
	return dir
}

func customResourceDefinitions() string {
	var all strings.Builder
	for kind, plural := range monitoringKinds {
		fmt.Fprintf(&all, `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": {"name": "%[2]s.monitoring.coreos.com"},
			"spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": "%[1]s", "plural": "%[2]s"},
				"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
					"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`, kind, plural)
	}
	return all.String()
}

// consumptionLimited configures the API server to admit pods with critical priority
// classes only in namespaces whose quota allows them, as GKE does.
func consumptionLimited(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admission.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [{
		"name": "ResourceQuota", "configuration": {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "ResourceQuotaConfiguration",
			"limitedResources": [{"resource": "pods", "matchScopes": [
				{"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical", "system-cluster-critical"]}]}]}}]}`), 0o600))
	return path
}
