package integration

import (
	"fmt"
	"os"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// root is the repository's folder, from where go test runs this package.
const root = "../.."

// assets is the folder with the API server, etcd and kubectl.
var assets = os.Getenv("KUBEBUILDER_ASSETS")

// TestMain fails rather than skips where the programs are missing.
func TestMain(m *testing.M) {
	log.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	if assets == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS must name the folder with kube-apiserver, etcd and kubectl")
		os.Exit(1)
	}
	os.Exit(m.Run())
}
