package manifests

import (
	"fmt"
	"os"
	"path/filepath"
)

// WithComponent writes a kustomization that adds a component to another kustomization,
// both in the folder of the manifests, and returns its path for [Build]. It goes into an
// empty folder of its own.
func WithComponent(dir, manifests, kustomization, component string) (string, error) {
	root, err := filepath.Abs(manifests)
	if err != nil {
		return "", err
	}
	up, err := filepath.Rel(dir, root)
	if err != nil {
		return "", err
	}
	content := fmt.Sprintf("resources: [%s]\ncomponents: [%s]\n", filepath.Join(up, kustomization), filepath.Join(up, component))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(content), 0o600); err != nil {
		return "", err
	}
	return filepath.Rel(root, dir)
}
