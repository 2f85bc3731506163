package sweeper

import (
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"isolate.example.io/test/framework/suite"
)

// The tests share an API server that writes an audit log, and a client of the
// cluster's administrator. Each test uses its own namespace.
var (
	server = &envtest.Environment{}
	admin  client.WithWatch
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) error {
		if err := audited(server, s.Dir); err != nil {
			return err
		}
		config, err := s.APIServer(server)
		if err != nil {
			return err
		}
		admin, err = client.NewWithWatch(unlimited(config), client.Options{})
		return err
	})
}

// unlimited returns the config without envtest's client-side rate limit, which
// would distort the timing.
func unlimited(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	return config
}
