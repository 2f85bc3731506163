package kubectl

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"isolate.example.io/test/framework/controlplane"
)

// Run runs kubectl as the cluster's administrator and returns what a person sees:
// stdout and stderr in one. The test fails if kubectl does.
func Run(t testing.TB, c *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	screen, err := Try(t.Context(), c, nil, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, screen)
	}
	return screen
}

// Try is Run for a command that may fail, with additional environment variables.
func Try(ctx context.Context, c *controlplane.ControlPlane, env []string, args ...string) (string, error) {
	cmd := c.KubectlCommand(ctx, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Shell returns a command line for a shell in the repository's root, with the
// built kubectl first in PATH: as someone types it who follows the documents.
func Shell(ctx context.Context, c *controlplane.ControlPlane, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", line)
	if root, err := controlplane.Root(); err != nil {
		cmd.Err = err
	} else {
		cmd.Dir = root
	}
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(c.Kubectl())+":"+os.Getenv("PATH"), "KUBECONFIG="+c.Kubeconfig())
	return cmd
}
