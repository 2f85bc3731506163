package lifecycle

import (
	"testing"

	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
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
		cluster, isolated, err = s.Isolated(installation.Options{SweeperFlags: []string{"--replacement-timeout=3s"}})
		if err != nil {
			return err
		}
		admin, err = kubernetes.NewForConfig(cluster.Config())
		return err
	})
}
