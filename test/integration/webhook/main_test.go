package webhook

import (
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/test/framework/suite"
)

// The tests share an API server, and a client of the cluster's administrator. Each
// installs a webhook of its own, so they are not parallel.
var (
	server = &envtest.Environment{}
	cfg    *rest.Config
	admin  client.WithWatch
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if cfg, err = s.APIServer(server); err != nil {
			return err
		}
		cfg.QPS = -1 // envtest's limit would distort the timing.
		admin, err = client.NewWithWatch(cfg, client.Options{})
		return err
	})
}
