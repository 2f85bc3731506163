package docs

import (
	"context"
	"os"
	"testing"

	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
	"isolate.example.io/test/framework/waiting"
)

var (
	// root is the repository's root, programs the folder with isolate's programs, and helm
	// is Helm.
	root, programs, helm string

	// The tests share a control plane with isolate installed.
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
	admin    *kubernetes.Clientset
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if root, err = controlplane.Root(); err != nil {
			return err
		}
		if programs, err = s.Programs(); err != nil {
			return err
		}
		if helm, err = controlplane.Helm(s.Context, os.Stderr); err != nil {
			return err
		}
		if cluster, isolated, err = s.Isolated(installation.Options{}); err != nil {
			return err
		}
		admin, err = kubernetes.NewForConfig(cluster.Config())
		return err
	})
}

func until(t *testing.T, condition func(context.Context) bool, what string, args ...any) {
	t.Helper()
	waiting.Poll(t, func(ctx context.Context) (bool, error) { return condition(ctx), nil }, what, args...)
}
