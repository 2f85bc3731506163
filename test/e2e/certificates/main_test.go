package certificates

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
)

const (
	// slowMount is the time until a changed Secret reaches the second replica; it
	// reaches the first at once. The sweeper's propagation delay is longer.
	slowMount   = 2 * time.Second
	propagation = "4s"
)

// The number of rotations of each kind.
var (
	servingRotations = flag.Int("serving-rotations", 1, "rotations of the serving certificate")
	caRotations      = flag.Int("ca-rotations", 1, "rotations of the CA")
)

var (
	// binaries and programs are the folders with the control plane's and isolate's programs.
	binaries, programs string

	// shared is the control plane of the tests without cert-manager.
	shared *controlplane.ControlPlane
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if binaries, err = s.Binaries(); err != nil {
			return err
		}
		if programs, err = s.Programs(); err != nil {
			return err
		}
		shared, err = s.ControlPlane(controlplane.Options{})
		return err
	})
}

// cluster is a control plane with helpers for one test.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	admin *kubernetes.Clientset
}

// newCluster starts a control plane for one test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Dir: filepath.Join(t.TempDir(), "control-plane"), Binaries: binaries})
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	return on(t, c)
}

// sharedCluster returns the shared control plane without any certificates on it.
func sharedCluster(t *testing.T) *cluster {
	t.Helper()
	c := on(t, shared)
	c.reset()
	return c
}

func on(t *testing.T, c *controlplane.ControlPlane) *cluster {
	t.Helper()
	config := c.Config()
	config.WarningHandler = rest.NoWarnings{} // Every quarantine returns warnings.
	admin, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return &cluster{T: t, ControlPlane: c, admin: admin}
}

// in returns the same cluster for a subtest.
func (c *cluster) in(t *testing.T) *cluster {
	return &cluster{T: t, ControlPlane: c.ControlPlane, admin: c.admin}
}

// reset removes the certificates and the configuration that an installation leaves behind.
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

// install installs isolate with two replicas of the webhook. A changed Secret
// reaches the second one later.
func (c *cluster) install(kustomization string, sweeperFlags ...string) *installation.Installation {
	c.Helper()
	options := c.options(sweeperFlags)
	options.Kustomization, options.MountDelays = kustomization, []time.Duration{0, slowMount}
	i := c.installWith(options)
	_, err := i.StartWebhook(c.Context())
	require.NoError(c, err)
	return i
}
