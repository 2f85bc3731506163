package chart

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/suite"
	"isolate.example.io/test/framework/waiting"
)

// release is the name of the Helm release.
const release = "isolate"

var (
	// root is the repository's root, chart the chart's folder and helmDir Helm's own files.
	root, chart, helmDir string

	// binaries and programs are the folders with the control plane's and isolate's programs,
	// and helmPath is Helm.
	binaries, programs, helmPath string
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if root, err = controlplane.Root(); err != nil {
			return err
		}
		chart, helmDir = filepath.Join(root, "charts", "isolate"), filepath.Join(s.Dir, "helm")
		if binaries, err = s.Binaries(); err != nil {
			return err
		}
		if helmPath, err = controlplane.Helm(s.Context, os.Stderr); err != nil {
			return err
		}
		programs, err = s.Programs()
		return err
	})
}

// helmCommand returns a command that reads and writes no files of the machine's user.
func helmCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, helmPath, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+helmDir, "HELM_CONFIG_HOME="+helmDir, "HELM_DATA_HOME="+helmDir)
	return cmd
}

// cluster is one test's own control plane.
type cluster struct {
	*testing.T
	*controlplane.ControlPlane
	isolate *installation.Installation
	admin   *kubernetes.Clientset
}

func start(t *testing.T) *cluster {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Dir: filepath.Join(t.TempDir(), "control-plane"), Binaries: binaries})
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	admin, err := kubernetes.NewForConfig(c.Config())
	require.NoError(t, err)
	return &cluster{T: t, ControlPlane: c, admin: admin}
}

// run starts isolate's programs with what is installed.
func (c *cluster) run() {
	c.Helper()
	var err error
	c.isolate, err = installation.Install(c.Context(), c.ControlPlane, installation.Options{Dir: c.TempDir(), Programs: programs, Applied: true})
	require.NoError(c, err)
	c.Cleanup(c.isolate.Stop)
}

// helm runs Helm in isolate's namespace and returns what it prints.
func (c *cluster) helm(args ...string) string {
	c.Helper()
	out, err := c.tryHelm(args...)
	require.NoError(c, err, "helm %s\n%s", strings.Join(args, " "), out)
	return out
}

func (c *cluster) tryHelm(args ...string) (string, error) {
	cmd := helmCommand(c.Context(), append([]string{"--kubeconfig=" + c.Kubeconfig(), "--namespace=" + installation.Namespace}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *cluster) kubectl(args ...string) string {
	c.Helper()
	return kubectl.Run(c, c.ControlPlane, args...)
}

// kubectlWith runs kubectl with a standard input.
func (c *cluster) kubectlWith(input string, args ...string) (string, error) {
	cmd := c.KubectlCommand(c.Context(), args...)
	cmd.Stdin = bytes.NewBufferString(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *cluster) until(condition func() bool, what string, args ...any) {
	c.Helper()
	waiting.Until(c, condition, what, args...)
}
