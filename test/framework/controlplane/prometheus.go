package controlplane

import (
	"context"
	"io"
)

// prometheus leaves out the service discoveries: they are most of the build, and a test
// lists its targets.
var prometheus = distribution{
	module: "prometheus", prefix: "prometheus", tools: true, tags: "remove_all_sd", description: "Prometheus and promtool",
}

// Prometheus returns the folder with the programs prometheus and promtool. It builds them
// like Binaries does.
func Prometheus(ctx context.Context, progress io.Writer) (string, error) {
	return prometheus.binaries(ctx, progress)
}
