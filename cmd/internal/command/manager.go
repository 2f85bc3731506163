package command

import (
	"context"
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
	return &interruptible{mgr}, mgr.AddHealthzCheck("ping", healthz.Ping)
}

// interruptible is a manager that can be stopped while it starts. controller-runtime's waits
// for its caches even then, with a whole CPU, and the API server may be down for long.
type interruptible struct {
	manager.Manager
}

// Start implements [manager.Manager].
func (m *interruptible) Start(ctx context.Context) error {
	started := make(started)
	if err := m.Add(started); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Manager.Start(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-started:
		return <-ended
	default:
		return nil // Nothing runs yet that has something to finish.
	}
}

// started is closed once a manager has read its caches.
type started chan struct{}

// Start implements [manager.Runnable].
func (s started) Start(context.Context) error {
	close(s)
	return nil
}

// NeedLeaderElection implements [manager.LeaderElectionRunnable].
func (s started) NeedLeaderElection() bool { return false }
