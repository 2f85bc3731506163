package kubectl

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

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

// StoredPod returns the pod that a write with --output=json has stored, and the warnings that
// kubectl printed before. To read the pod afterwards may be too late: a controller or the
// sweeper may have deleted it.
func StoredPod(screen string) (pod *corev1.Pod, warnings string, err error) {
	warnings, object, _ := strings.Cut(screen, "{")
	pod = &corev1.Pod{}
	if err := json.Unmarshal([]byte("{"+object), pod); err != nil {
		return nil, warnings, fmt.Errorf("reading the pod in what kubectl printed: %w: %s", err, screen)
	}
	return pod, warnings, nil
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
