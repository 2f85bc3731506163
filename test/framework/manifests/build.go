package manifests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Build returns the objects of a kustomization, such as "base", below the folder
// manifests. It runs kubectl, given by its path: that is what people install with,
// and it avoids a dependency on kustomize's library.
func Build(ctx context.Context, kubectl, manifests, kustomization string) ([]*unstructured.Unstructured, error) {
	if err := touch(manifests); err != nil {
		return nil, err
	}
	dir := filepath.Join(manifests, kustomization)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, kubectl, "kustomize", dir)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("building the kustomization %s: %w\n%s", dir, err, stderr.Bytes())
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(out), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("reading the objects of %s: %w", dir, err)
		}
		objects = append(objects, object)
	}
}

// touch stats every file below the folder, so that go test knows that the result
// depends on them. It doesn't see the files that kubectl reads, and would reuse a
// cached result after a change.
func touch(folder string) error {
	return filepath.WalkDir(folder, func(_ string, _ fs.DirEntry, err error) error { return err })
}
