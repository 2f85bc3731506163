//go:build linux

package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/node"
	"isolate.example.io/test/framework/suite"
)

// The tests share a node with isolate installed, and a client of its administrator.
var (
	cluster *node.Node
	admin   *kubernetes.Clientset
)

// pluginFolder is where the plugin is built, relative to the repository's root.
const pluginFolder = ".build/plugin"

func TestMain(m *testing.M) {
	if os.Getenv(emptyNode) != "" {
		os.Exit(runEmptyNode())
	}
	if !node.Inside() {
		os.Exit(outside())
	}
	suite.Main(m, func(s *suite.Suite) (err error) {
		if cluster, err = node.Start(s.Context); err != nil {
			return err
		}
		s.Cleanup(func() error { cluster.Stop(); return nil })
		if admin, err = kubernetes.NewForConfig(cluster.Config()); err != nil {
			return err
		}
		return cluster.Install(s.Context, "overlays/default")
	})
}

// outside builds everything and runs this program again in the node's namespaces.
func outside() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	built, err := node.Build(ctx, os.Stderr)
	if err == nil {
		err = buildPlugin(ctx)
	}
	var code int
	if err == nil {
		code, err = node.Run(ctx, built)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// buildPlugin builds kubectl-isolate from its own module.
func buildPlugin(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(root, pluginFolder, "kubectl-isolate"), ".")
	cmd.Dir = filepath.Join(root, "cmd", "kubectl-isolate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building kubectl-isolate: %w\n%s", err, out)
	}
	return nil
}
