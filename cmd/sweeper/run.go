package main

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"

	"isolate.example.io/clocks"
	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/sweeper"
)

// Run runs the sweeper until the context ends or the lease is lost. It implements
// [command.Options].
func (o *options) Run(ctx context.Context, process *command.Process) error {
	serverTime := clocks.NewServerTime(clock.RealClock{})
	mgr, err := process.NewManager(o.managerOptions(), serverTime.Wrap)
	if err != nil {
		return err
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
