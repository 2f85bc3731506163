package installation

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"isolate.example.io/test/framework/controlplane"
)

// BuildAll builds the control plane, if needed, and isolate's programs, and returns
// their folders. It reports progress to the writer.
func BuildAll(ctx context.Context, progress io.Writer) (binaries, programs string, err error) {
	if binaries, err = controlplane.Binaries(ctx, progress); err != nil {
		return "", "", err
	}
	programs, err = Build(ctx, progress)
	return binaries, programs, err
}

// Build builds isolate's programs and returns their folder. It reports progress to
// the writer.
func Build(ctx context.Context, progress io.Writer) (string, error) {
	return BuildInto(ctx, progress, "bin")
}

// BuildInto is [Build] with another name for the folder in .build, and with additional flags
// for go build.
func BuildInto(ctx context.Context, progress io.Writer, folder string, flags ...string) (string, error) {
	root, err := controlplane.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".build", folder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := controlplane.Lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	start := time.Now()
	fmt.Fprintln(progress, "building webhook, sweeper and alert-receiver")
	arguments := append([]string{"build", "-trimpath", "-o", dir}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(arguments, "./cmd/webhook", "./cmd/sweeper", "./cmd/alert-receiver")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building webhook, sweeper and alert-receiver: %w\n%s", err, out)
	}
	fmt.Fprintf(progress, "built webhook, sweeper and alert-receiver: %s\n", time.Since(start).Round(100*time.Millisecond))
	return dir, nil
}
