package policies

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/framework/controlplane"
)

// root is the repository's folder, from where go test runs this package.
const root = "../../.."

// assets is the folder with the API server, etcd and kubectl: KUBEBUILDER_ASSETS,
// or those that test/cmd/kubernetes builds.
var assets = os.Getenv("KUBEBUILDER_ASSETS")

// onOldest runs the tests on the oldest API server that isolate supports.
var onOldest = flag.Bool("oldest", false, "test on Kubernetes "+controlplane.OldestVersion)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	flag.Parse()
	if assets == "" {
		binaries := controlplane.Binaries
		if *onOldest {
			binaries = controlplane.OldestBinaries
		}
		var err error
		if assets, err = binaries(context.Background(), os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
