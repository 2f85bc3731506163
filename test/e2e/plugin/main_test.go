package plugin

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// patience bounds every wait.
	patience = time.Minute
	// interval is how often a condition is checked.
	interval = 25 * time.Millisecond
)

// The control plane of all tests here, with isolate on it, who may do everything,
// and the folder of the plugin. Each test keeps to a namespace of its own.
var (
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
	admin    *kubernetes.Clientset
	bin      string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	log.SetLogger(logr.Discard())
	ctx := context.Background()
	binaries, programs, err := installation.BuildAll(ctx, os.Stderr)
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "isolate-plugin-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	bin = filepath.Join(dir, "bin")
	if err := buildPlugin(ctx); err != nil {
		return 1, err
	}
	cluster, err = controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(dir, "control-plane"), Binaries: binaries})
	if err != nil {
		return 1, err
	}
	defer cluster.Stop()
	isolated, err = installation.Install(ctx, cluster, installation.Options{Dir: filepath.Join(dir, "isolate"), Programs: programs,
		SweeperFlags: []string{"--replacement-timeout=3s"}})
	if err != nil {
		return 1, err
	}
	defer isolated.Stop()
	if admin, err = kubernetes.NewForConfig(cluster.Config()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// buildPlugin builds the plugin from its own module, beside the kubectl that finds it.
func buildPlugin(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(bin, "kubectl-isolate"), ".")
	cmd.Dir = filepath.Join(root, "cmd", "kubectl-isolate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building kubectl-isolate: %w\n%s", err, out)
	}
	return nil
}
