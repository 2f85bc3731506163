package lifecycle

import (
	"context"
	"fmt"
	"os"
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
	// interval is how often a condition is looked at.
	interval = 25 * time.Millisecond
)

// The control plane of all tests here, with isolate on it, and who may do
// everything. Each test keeps to a namespace of its own.
var (
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
	admin    *kubernetes.Clientset
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
	dir, err := os.MkdirTemp("", "isolate-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
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
