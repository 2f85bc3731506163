package certificates

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

const (
	// patience bounds every wait.
	patience = 2 * time.Minute
	interval = 20 * time.Millisecond

	// slowMount is how long a changed Secret takes to the second replica; to the
	// first it takes no time. The delay that the sweeper goes by is longer.
	slowMount   = 2 * time.Second
	propagation = "4s"
)

// How many rotations of each kind there are.
var (
	servingRotations = flag.Int("serving-rotations", 1, "rotations of the serving certificate")
	caRotations      = flag.Int("ca-rotations", 1, "rotations of the authority")
)

var (
	// binaries and programs are the folders of the control plane and of isolate.
	binaries, programs string

	// shared is the control plane of the tests that have no cert-manager on it.
	shared *controlplane.ControlPlane
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
	flag.Parse()
	log.SetLogger(logr.Discard())
	ctx := context.Background()
	if binaries, programs, err = installation.BuildAll(ctx, os.Stderr); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "isolate-certificates-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	shared, err = controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(dir, "control-plane"), Binaries: binaries})
	if err != nil {
		return 1, err
	}
	defer shared.Stop()
	return m.Run(), nil
}

// cluster is a control plane, with what a test does on it.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	admin *kubernetes.Clientset
}

// newCluster is a control plane of a test's own.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Dir: filepath.Join(t.TempDir(), "control-plane"), Binaries: binaries})
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	return on(t, c)
}

// sharedCluster is the shared control plane, without certificates.
func sharedCluster(t *testing.T) *cluster {
	t.Helper()
	c := on(t, shared)
	c.reset()
	return c
}

func on(t *testing.T, c *controlplane.ControlPlane) *cluster {
	t.Helper()
	config := c.Config()
	config.WarningHandler = rest.NoWarnings{} // Each quarantine has some.
	admin, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return &cluster{T: t, ControlPlane: c, admin: admin}
}

// in is the same cluster for a test within the test.
func (c *cluster) in(t *testing.T) *cluster {
	return &cluster{T: t, ControlPlane: c.ControlPlane, admin: c.admin}
}

// reset removes all that an installation leaves behind that this package is about.
func (c *cluster) reset() {
	c.Helper()
	c.kubectl("delete", "--ignore-not-found", "mutatingwebhookconfiguration/"+authority.Configuration)
	c.kubectl("delete", "--ignore-not-found", "--namespace="+installation.Namespace,
		"secret/"+authority.CASecret, "secret/"+authority.ServingSecret, "lease/isolate-sweeper")
}

func (c *cluster) options(sweeperFlags []string) installation.Options {
	return installation.Options{Dir: filepath.Join(c.TempDir(), "isolate"), Programs: programs, SweeperFlags: sweeperFlags}
}

func (c *cluster) installWith(options installation.Options) *installation.Installation {
	c.Helper()
	i, err := installation.Install(c.Context(), c.ControlPlane, options)
	require.NoError(c, err)
	c.Cleanup(i.Stop)
	return i
}

// install installs isolate with two replicas of the webhook, to the second of
// which a changed Secret takes longer.
func (c *cluster) install(kustomization string, sweeperFlags ...string) *installation.Installation {
	c.Helper()
	options := c.options(sweeperFlags)
	options.Kustomization, options.MountDelays = kustomization, []time.Duration{0, slowMount}
	i := c.installWith(options)
	_, err := i.StartWebhook(c.Context())
	require.NoError(c, err)
	return i
}
