package selectors

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/framework/controlplane"
)

// The API server of all tests here, in whose folder kubectl is too, and who may do
// everything. Each test keeps to a namespace of its own.
var (
	server *envtest.Environment
	config *rest.Config
	admin  client.Client
)

// TestMain starts the API server. KUBEBUILDER_ASSETS names another than the one
// that test/cmd/kubernetes builds.
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
	klog.SetLogger(logr.Discard()) // what the reflectors say of each failure
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		if assets, err = controlplane.Binaries(context.Background(), os.Stderr); err != nil {
			return 1, err
		}
	}
	server = &envtest.Environment{BinaryAssetsDirectory: assets}
	defer func() {
		if stopErr := server.Stop(); err == nil {
			err = stopErr
		}
	}()
	if config, err = server.Start(); err != nil {
		return 1, fmt.Errorf("starting the API server: %w", err)
	}
	if admin, err = client.New(config, client.Options{}); err != nil {
		return 1, fmt.Errorf("making a client: %w", err)
	}
	return m.Run(), nil
}
