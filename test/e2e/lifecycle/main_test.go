package lifecycle

import (
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/manifests"
	"isolate.example.io/test/framework/suite"
)

// The tests share a control plane with isolate installed, and a client of the
// cluster's administrator. Each test uses its own namespace.
var (
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
	admin    *kubernetes.Clientset
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		root, err := controlplane.Root()
		if err != nil {
			return err
		}
		// Its custom resources are installed by the tests that need them.
		overlay, err := manifests.WithComponent(filepath.Join(s.Dir, "overlay"), filepath.Join(root, "manifests"), "overlays/default", "examples/selecting-resources")
		if err != nil {
			return err
		}
		cluster, isolated, err = s.Isolated(installation.Options{Kustomization: overlay, SweeperFlags: []string{"--replacement-timeout=3s"}})
		if err != nil {
			return err
		}
		admin, err = kubernetes.NewForConfig(cluster.Config())
		return err
	})
}
