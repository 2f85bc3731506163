package plugin

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/audit"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
)

// The tests share a control plane with isolate installed, a client of the cluster's
// administrator, and the folder with the plugin. Each test uses its own namespace.
var (
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
	admin    *kubernetes.Clientset
	bin      string

	// requests are those of the example Job's ServiceAccount.
	requests audit.Log
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		bin = filepath.Join(s.Dir, "bin")
		if err := buildPlugin(s); err != nil {
			return err
		}
		if requests, err = audit.New(s.Dir, `{"level": "Metadata", "users": ["`+evidenceUser+`"]}`); err != nil {
			return err
		}
		var flags []string
		for name, value := range requests.Flags() {
			flags = append(flags, "--"+name+"="+value)
		}
		cluster, isolated, err = s.Isolated(installation.Options{SweeperFlags: []string{"--replacement-timeout=3s"}}, flags...)
		if err != nil {
			return err
		}
		admin, err = kubernetes.NewForConfig(cluster.Config())
		return err
	})
}

// buildPlugin builds the plugin from its own module.
func buildPlugin(s *suite.Suite) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(s.Context, "go", "build", "-trimpath", "-o", filepath.Join(bin, "kubectl-isolate"), ".")
	cmd.Dir = filepath.Join(root, "cmd", "kubectl-isolate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building kubectl-isolate: %w\n%s", err, out)
	}
	return nil
}
