package suite

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// Suite builds and starts what the tests of a package share. Everything that it
// starts is stopped in reverse order after the last test.
type Suite struct {
	// Context is for the setup. Tests have their own.
	Context context.Context

	// Dir is a temporary folder, removed at the end.
	Dir string

	started  int
	cleanups []func() error
}

// Main runs the setup and then the tests, and exits with their result. It is the
// whole TestMain of a package.
//
// Progress goes to stderr: the first build of a control plane takes minutes.
func Main(m *testing.M, setup func(s *Suite) error) {
	flag.Parse()
	// The tests read the logs of programs. What libraries log in this process is noise.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	code, err := run(m, setup)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, setup func(s *Suite) error) (code int, err error) {
	s := &Suite{Context: context.Background()}
	if s.Dir, err = os.MkdirTemp("", "isolate-test-"); err != nil {
		return 1, err
	}
	s.Cleanup(func() error { return os.RemoveAll(s.Dir) })
	defer func() {
		for _, cleanup := range slices.Backward(s.cleanups) {
			err = errors.Join(err, cleanup())
		}
	}()
	if err := setup(s); err != nil {
		return 1, fmt.Errorf("setting up the suite: %w", err)
	}
	return m.Run(), nil
}

// Cleanup registers what to do after the last test.
func (s *Suite) Cleanup(cleanup func() error) { s.cleanups = append(s.cleanups, cleanup) }

// Binaries returns the folder with the control plane's programs.
func (s *Suite) Binaries() (string, error) { return controlplane.Binaries(s.Context, os.Stderr) }

// Programs returns the folder with isolate's programs.
func (s *Suite) Programs() (string, error) { return installation.Build(s.Context, os.Stderr) }

// Assets returns the folder with the API server, etcd and kubectl for envtest: the
// one that KUBEBUILDER_ASSETS names, or else the built one.
func (s *Suite) Assets(build func(context.Context, io.Writer) (string, error)) (string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		return assets, nil
	}
	return build(s.Context, os.Stderr)
}

// APIServer starts an API server without controllers.
func (s *Suite) APIServer(environment *envtest.Environment) (config *rest.Config, err error) {
	if environment.BinaryAssetsDirectory, err = s.Assets(controlplane.Binaries); err != nil {
		return nil, err
	}
	s.Cleanup(environment.Stop)
	if config, err = environment.Start(); err != nil {
		return nil, fmt.Errorf("starting the API server: %w", err)
	}
	return config, nil
}

// ControlPlane starts a control plane with controllers and nodes.
func (s *Suite) ControlPlane(options controlplane.Options) (c *controlplane.ControlPlane, err error) {
	if options.Binaries, err = s.Binaries(); err != nil {
		return nil, err
	}
	options.Dir = s.dir("control-plane")
	if c, err = controlplane.Start(s.Context, options); err != nil {
		return nil, err
	}
	s.Cleanup(func() error { c.Stop(); return nil })
	return c, nil
}

// Isolated starts a control plane and installs isolate on it. The API server gets these
// flags in addition.
func (s *Suite) Isolated(options installation.Options, apiServerFlags ...string) (c *controlplane.ControlPlane, i *installation.Installation, err error) {
	if options.Programs, err = s.Programs(); err != nil {
		return nil, nil, err
	}
	if c, err = s.ControlPlane(controlplane.Options{APIServerFlags: apiServerFlags}); err != nil {
		return nil, nil, err
	}
	options.Dir = s.dir("isolate")
	if i, err = installation.Install(s.Context, c, options); err != nil {
		return nil, nil, err
	}
	s.Cleanup(func() error { i.Stop(); return nil })
	return c, i, nil
}

func (s *Suite) dir(name string) string {
	s.started++
	return filepath.Join(s.Dir, name+"-"+strconv.Itoa(s.started))
}
