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
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/controlplane"
	"isolate.example.io/test/installation"

	"sigs.k8s.io/controller-runtime/pkg/log"
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
	binaries, programs string
)

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	var err error
	if binaries, err = controlplane.Binaries(context.Background(), os.Stderr); err == nil {
		programs, err = installation.Build(context.Background(), os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// cluster is a control plane of a test's own.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	admin *kubernetes.Clientset
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Dir: filepath.Join(t.TempDir(), "control-plane"), Binaries: binaries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	admin, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{T: t, ControlPlane: c, admin: admin}
}

// install installs isolate with two replicas of the webhook, to the second of
// which a changed Secret takes longer.
func (c *cluster) install(kustomization string, sweeperFlags ...string) *installation.Installation {
	c.Helper()
	i, err := installation.Install(c.Context(), c.ControlPlane, installation.Options{
		Dir: filepath.Join(c.TempDir(), "isolate"), Programs: programs, Kustomization: kustomization,
		SweeperFlags: sweeperFlags, MountDelays: []time.Duration{0, slowMount},
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(i.Stop)
	if _, err := i.StartWebhook(c.Context()); err != nil {
		c.Fatal(err)
	}
	return i
}
