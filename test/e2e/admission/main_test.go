package admission

import (
	"fmt"
	"testing"

	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
)

// The tests share a control plane with isolate and all third parties installed. Each
// combination has its own namespace.
var (
	admin *kubernetes.Clientset
	hooks *webhooks
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) error {
		cluster, _, err := s.Isolated(installation.Options{})
		if err != nil {
			return err
		}
		config := cluster.Config()
		config.WarningHandlerWithContext = warningCollector{}
		if admin, err = kubernetes.NewForConfig(config); err != nil {
			return err
		}
		if err := installThirdParties(s.Context); err != nil {
			return fmt.Errorf("installing the third parties: %w", err)
		}
		s.Cleanup(func() error { hooks.server.Close(); return nil })
		return nil
	})
}
