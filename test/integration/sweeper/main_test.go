package sweeper

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/framework/controlplane"
)

// The API server of all tests here, and who may do everything. Each test keeps to
// a namespace of its own.
var (
	server *envtest.Environment
	admin  client.WithWatch
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
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		if assets, err = controlplane.Binaries(context.Background(), os.Stderr); err != nil {
			return 1, err
		}
	}
	server = &envtest.Environment{BinaryAssetsDirectory: assets}
	dir, err := os.MkdirTemp("", "isolate-expiry-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := audited(server, dir); err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := server.Stop(); err == nil {
			err = stopErr
		}
	}()
	config, err := server.Start()
	if err != nil {
		return 1, fmt.Errorf("starting the API server: %w", err)
	}
	admin, err = client.NewWithWatch(unlimited(config), client.Options{})
	if err != nil {
		return 1, fmt.Errorf("making a client: %w", err)
	}
	return m.Run(), nil
}

// unlimited is the config without envtest's limit of requests, which would be
// measured along.
func unlimited(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	return config
}
