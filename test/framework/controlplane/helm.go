package controlplane

import (
	"context"
	"io"
	"path/filepath"
)

var helm = distribution{module: "helm", prefix: "helm", description: "Helm"}

// Helm returns the path of Helm's program. It builds the program like Binaries does.
func Helm(ctx context.Context, progress io.Writer) (string, error) {
	dir, err := helm.binaries(ctx, progress)
	return filepath.Join(dir, "helm"), err
}
