package docs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// patience bounds every wait.
	patience = time.Minute
	// interval is how often a condition is looked at.
	interval = 50 * time.Millisecond
)

var (
	// root is the repository's folder, programs that of isolate's programs.
	root, programs string

	// The control plane of all tests here, with isolate on it.
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
	if root, err = controlplane.Root(); err != nil {
		return 1, err
	}
	var binaries string
	if binaries, programs, err = installation.BuildAll(ctx, os.Stderr); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "isolate-documents-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if cluster, err = controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(dir, "control-plane"), Binaries: binaries}); err != nil {
		return 1, err
	}
	defer cluster.Stop()
	isolated, err = installation.Install(ctx, cluster, installation.Options{Dir: filepath.Join(dir, "isolate"), Programs: programs})
	if err != nil {
		return 1, err
	}
	defer isolated.Stop()
	if admin, err = kubernetes.NewForConfig(cluster.Config()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func until(t *testing.T, condition func(context.Context) bool, what string, args ...any) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), interval, patience, true, func(ctx context.Context) (bool, error) { return condition(ctx), nil })
	require.NoErrorf(t, err, "waiting until "+what, args...)
}
