package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func TestTheChartIsMadeOfTheManifests(t *testing.T) {
	files, err := chart(root)
	require.NoError(t, err)
	for name, content := range files {
		committed, err := os.ReadFile(filepath.Join(root, chartDir, name))
		require.NoError(t, err, "run make chart")
		require.Equal(t, content, string(committed), "run make chart: %s is out of date", name)
	}
	for _, s := range sources {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, chartDir, "templates", s.name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, err := filepath.Rel(filepath.Join(root, chartDir), path)
			require.NoError(t, err)
			require.Contains(t, files, name, "run make chart: no manifest makes this template")
			return nil
		}))
	}
}

func TestAnEditWithoutItsTextIsAnError(t *testing.T) {
	_, err := template("manifests/base/resourcequota.yaml", "kind: ResourceQuota\n", "")
	require.EqualError(t, err, "manifests/base/resourcequota.yaml has 0 times what charts/generate/edits.go edits in it, and must have it once: \"[system-cluster-critical]\"")
	_, err = template("manifests/base/resourcequota.yaml", strings.Repeat("values: [system-cluster-critical]\n", 2), "")
	require.ErrorContains(t, err, "has 2 times")
}

func TestAManifestsOwnDelimitersStay(t *testing.T) {
	text, err := template("none.yaml", "metadata:\n  name: none\nsummary: '{{ $value }} pods'\n", "")
	require.NoError(t, err)
	require.Contains(t, text, "summary: '{{ `{{ $value }}` }} pods'\n")
}

func TestEveryObjectGetsTheCommonLabelsOnce(t *testing.T) {
	files, err := templates(root)
	require.NoError(t, err)
	for name, text := range files {
		want := 1
		if strings.HasSuffix(name, "deployment.yaml") {
			want = 2 // And its pods.
		}
		require.Equal(t, want, strings.Count(text, ".Values.commonLabels"), name)
	}
}

func TestAGeneratorOfKustomizeIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kustomization.yaml")
	require.NoError(t, os.WriteFile(path, []byte("configMapGenerator: [{name: dashboard}]\n"), 0o600))
	_, err := resources(path)
	require.ErrorContains(t, err, "write the object into a file and list it in resources")
}

func TestAValueNeedsACommentAndATypeIfItIsNull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "values.yaml")
	read := func(text string) (*value, error) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return readValues(path)
	}
	_, err := read("a:\n  b: 1\n")
	require.ErrorContains(t, err, "b has no comment")
	tree, err := read("# The number.\na: null\n")
	require.NoError(t, err)
	_, err = schemaOf(tree)
	require.ErrorContains(t, err, "a is null, so its comment needs a line such as: schema:")
}

func TestTheSchemaTakesTheKnownValuesOnly(t *testing.T) {
	tree, err := readValues(filepath.Join(root, chartDir, "values.yaml"))
	require.NoError(t, err)
	text, err := schemaOf(tree)
	require.NoError(t, err)
	var schema struct {
		AdditionalProperties *bool
		Properties           map[string]struct{ AdditionalProperties any }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &schema))
	require.False(t, *schema.AdditionalProperties)
	require.Equal(t, false, schema.Properties["image"].AdditionalProperties)
}
