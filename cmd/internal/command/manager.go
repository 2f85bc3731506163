package command

import (
	"fmt"

	"k8s.io/client-go/transport"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// NewManager returns a manager for the API server that the flags name, whose requests pass
// the wrappers. It serves /healthz, /readyz and /metrics at the addresses of the flags.
func (p *Process) NewManager(options manager.Options, wrappers ...transport.WrapperFunc) (manager.Manager, error) {
	cfg, err := config.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	// As in kube-controller-manager and kube-scheduler: to compress large lists takes the API
	// server more time than to send them.
	cfg.DisableCompression = true
	for _, wrap := range wrappers {
		cfg.Wrap(wrap)
	}
	options.HealthProbeBindAddress = p.HealthAddress
	options.Metrics = server.Options{BindAddress: p.MetricsAddress}
	mgr, err := manager.New(cfg, options)
	if err != nil {
		return nil, fmt.Errorf("creating a manager: %w", err)
	}
	return mgr, mgr.AddHealthzCheck("ping", healthz.Ping)
}
