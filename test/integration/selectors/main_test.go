package selectors

import (
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/test/framework/suite"
)

// The tests share an API server and a client of the cluster's administrator. Each
// test uses its own namespace. kubectl is in the server's BinaryAssetsDirectory.
var (
	server = &envtest.Environment{}
	config *rest.Config
	admin  client.Client
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if config, err = s.APIServer(server); err != nil {
			return err
		}
		admin, err = client.New(config, client.Options{})
		return err
	})
}
