package contract

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/manifests"
)

// Nobody has to apply a file of an example by hand: its kustomization has every object that
// lies in its folder.
func TestExamplesInstallEverything(t *testing.T) {
	t.Parallel()
	root, err := controlplane.Root()
	require.NoError(t, err)
	shipped := filepath.Join(root, "manifests")
	examples, err := filepath.Glob(filepath.Join(shipped, "examples", "*", "kustomization.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, path := range examples {
		folder := filepath.Dir(path)
		name := filepath.Join("examples", filepath.Base(folder))
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			kustomization := name
			if readObject(t, path).GetKind() == "Component" {
				overlay, err := manifests.WithComponent(t.TempDir(), shipped, "overlays/default", name)
				require.NoError(t, err)
				kustomization = overlay
			}
			built, err := manifests.Build(t.Context(), cluster.Kubectl(), shipped, kustomization)
			require.NoError(t, err)
			files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
			require.NoError(t, err)
			for _, file := range files {
				object := readObject(t, file)
				if object.GetName() == "" {
					continue // The kustomization itself, a patch, or a tool's own configuration.
				}
				require.True(t, slices.ContainsFunc(built, func(o *unstructured.Unstructured) bool {
					return o.GroupVersionKind() == object.GroupVersionKind() && o.GetName() == object.GetName()
				}), "%s is not installed", file)
			}
		})
	}
}

// readObject reads the object in a file, which is empty if the file has something else.
func readObject(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	object := &unstructured.Unstructured{}
	if err := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), len(data)).Decode(&object.Object); err != nil {
		return &unstructured.Unstructured{} // A list, such as rules or a JSON patch.
	}
	return object
}
