package main

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/clocks"
	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/sweeper"
)

// Run runs the sweeper until the context ends or the lease is lost. It implements
// [command.Options].
func (o *options) Run(ctx context.Context, process *command.Process) error {
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	serverTime := clocks.NewServerTime(clock.RealClock{})
	cfg.Wrap(serverTime.Wrap)
	mgr, err := manager.New(cfg, managerOptions(o, process))
	if err != nil {
		return fmt.Errorf("preparing to run: %w", err)
	}
	events, err := sweeper.Setup(mgr, sweeper.Options{
		Workers: o.workers, ReplacementTimeout: o.replacementTimeout, SelectingResources: o.selecting.Resources, ServerTime: serverTime,
	})
	if err != nil {
		return fmt.Errorf("setting up the sweeper: %w", err)
	}
	if err := o.manageCertificates(mgr, serverTime, events); err != nil {
		return fmt.Errorf("setting up certificates: %w", err)
	}
	return mgr.Start(ctx)
}
