package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/manifests"
	"isolate.example.io/test/framework/suite"
)

var (
	// root is the repository's root, and prometheusDir the folder with prometheus and promtool.
	root, prometheusDir string

	// The tests share a control plane with isolate installed.
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if root, err = controlplane.Root(); err != nil {
			return err
		}
		if prometheusDir, err = controlplane.Prometheus(s.Context, os.Stderr); err != nil {
			return err
		}
		cluster, isolated, err = s.Isolated(installation.Options{})
		return err
	})
}

// component returns the objects of the component by kind and name.
func component(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	shipped := filepath.Join(root, "manifests")
	overlay, err := manifests.WithComponent(filepath.Join(t.TempDir(), "overlay"), shipped, "base", "components/monitoring")
	require.NoError(t, err)
	objects, err := manifests.Build(t.Context(), cluster.Kubectl(), shipped, overlay)
	require.NoError(t, err)
	found := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		found[object.GetKind()+"/"+object.GetName()] = object
	}
	return found
}

// rule is an alert of the PrometheusRule.
type rule struct {
	Alert string `json:"alert"`
	Expr  string `json:"expr"`
}

// rules returns the alerts, and writes them to a file as Prometheus reads it.
func rules(t *testing.T, path string) []rule {
	t.Helper()
	object := component(t)["PrometheusRule/isolate"]
	require.NotNil(t, object)
	var parsed struct {
		Spec struct {
			Groups []struct {
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &parsed))
	require.Len(t, parsed.Spec.Groups, 1)
	data, err := json.Marshal(object.Object["spec"]) // JSON is YAML.
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return parsed.Spec.Groups[0].Rules
}
