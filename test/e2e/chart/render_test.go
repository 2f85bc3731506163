package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/manifests"
)

// The chart is not a second source: what Helm renders is what kustomize builds.
func TestHelmRendersWhatKustomizeBuilds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// values are set; resources and components make the kustomization.
		values                []string
		resources, components []string
	}{
		"default":           {nil, []string{"overlays/default"}, nil},
		"cert-manager":      {[]string{"certManager=true"}, []string{"overlays/cert-manager"}, nil},
		"monitoring":        {[]string{"monitoring.serviceMonitors=true", "monitoring.rules=true", "monitoring.dashboard=true"}, []string{"overlays/default"}, []string{"monitoring"}},
		"host network":      {[]string{"hostNetwork=true"}, []string{"overlays/default"}, []string{"host-network"}},
		"network isolation": {[]string{"networkIsolation={shop}"}, []string{"overlays/default", "shop"}, nil},
		"alert receiver":    {[]string{"alertReceiver.enabled=true"}, []string{"overlays/default"}, []string{"alert-receiver"}},
		"alert receiver for a namespace and an alert": {
			[]string{"alertReceiver.enabled=true", "alertReceiver.namespaces={shop}", "alertReceiver.alerts={PodServesErrors}"},
			[]string{"overlays/default", "examples/alertmanager"}, nil,
		},
		"all of them": {
			[]string{"certManager=true", "monitoring.serviceMonitors=true", "monitoring.rules=true", "monitoring.dashboard=true", "hostNetwork=true", "networkIsolation={shop}", "alertReceiver.enabled=true"},
			[]string{"overlays/cert-manager", "shop"}, []string{"monitoring", "host-network", "alert-receiver"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := byName(t, build(t, c.resources, c.components))
			// Helm creates the Namespace itself, so the chart leaves it out by default.
			got := byName(t, objectsIn(t, render(t, append(c.values, "namespace.create=true")...)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("kustomize builds (-), Helm renders (+):\n%s", diff)
			}
			namespace := "v1 Namespace /" + installation.Namespace
			require.Contains(t, want, namespace)
			delete(want, namespace)
			require.Empty(t, cmp.Diff(want, byName(t, objectsIn(t, render(t, c.values...)))))
		})
	}
}

// Another namespace is in every place where the manifests name theirs.
func TestTheReleasesNamespaceIsEverywhere(t *testing.T) {
	t.Parallel()
	out, err := helmCommand(t.Context(), "template", release, chart, "--namespace=elsewhere", "--set=monitoring.rules=true,monitoring.dashboard=true,monitoring.serviceMonitors=true,certManager=true").Output()
	require.NoError(t, err)
	require.NotContains(t, string(out), installation.Namespace)
	for _, object := range objectsIn(t, string(out)) {
		require.Contains(t, []string{"", "elsewhere"}, object.GetNamespace(), object.GetName())
	}
}

// render returns what Helm renders, without the chart's test.
func render(t *testing.T, values ...string) string {
	t.Helper()
	args := []string{"template", release, chart, "--namespace=" + installation.Namespace, "--skip-tests"}
	for _, value := range values {
		args = append(args, "--set="+value)
	}
	var stderr bytes.Buffer
	cmd := helmCommand(t.Context(), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

// build returns the objects of a kustomization of these folders below manifests. The folder
// shop is a namespace's own kustomization, with the component network-isolation.
func build(t *testing.T, resources, components []string) []*unstructured.Unstructured {
	t.Helper()
	dir := t.TempDir()
	relative := func(from, to string) string {
		path, err := filepath.Rel(from, filepath.Join(root, "manifests", to))
		require.NoError(t, err)
		return path
	}
	write := func(dir, content string) {
		require.NoError(t, os.MkdirAll(dir, 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(content), 0o600))
	}
	all, shop := filepath.Join(dir, "all"), filepath.Join(dir, "shop")
	write(shop, fmt.Sprintf("namespace: shop\ncomponents: [%s]\n", relative(shop, "components/network-isolation")))
	lines := []string{"resources:"}
	for _, resource := range resources {
		if resource == "shop" {
			lines = append(lines, "- ../shop")
			continue
		}
		lines = append(lines, "- "+relative(all, resource))
	}
	lines = append(lines, "components:")
	for _, component := range components {
		lines = append(lines, "- "+relative(all, "components/"+component))
	}
	write(all, strings.Join(lines, "\n"))
	name, err := filepath.Rel(filepath.Join(root, "manifests"), all)
	require.NoError(t, err)
	objects, err := manifests.Build(t.Context(), filepath.Join(binaries, "kubectl"), filepath.Join(root, "manifests"), name)
	require.NoError(t, err)
	return objects
}

func objectsIn(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// byName returns objects by apiVersion, kind, namespace and name, which must be unique.
func byName(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	named := map[string]map[string]any{}
	for _, object := range objects {
		name := fmt.Sprintf("%s %s %s/%s", object.GetAPIVersion(), object.GetKind(), object.GetNamespace(), object.GetName())
		require.NotContains(t, named, name)
		named[name] = object.Object
	}
	return named
}
