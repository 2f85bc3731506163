package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"isolate.example.io/certs/authority"
	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper"
)

// leaseName is the lease by which the replicas agree who of them deletes.
const leaseName = "isolate-sweeper"

// Run runs the sweeper until the context ends or the lease is lost. It implements
// [command.Options].
func (o *options) Run(ctx context.Context, process *command.Process) error {
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	serverTime := sweeper.NewServerTime(clock.RealClock{})
	cfg.Wrap(serverTime.Wrap)
	mgr, err := manager.New(cfg, managerOptions(o, process))
	if err != nil {
		return fmt.Errorf("preparing to run: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	changes := sweeper.NewChanges()
	kube, err := kubernetes.NewForConfigAndClient(command.Protobuf(cfg), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	objects, err := dynamic.NewForConfigAndClient(cfg, mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client for custom resources: %w", err)
	}
	watcher := selectors.NewWatcher(kube).WithResources(objects, o.selecting.Resources)
	watcher.Changed = changes.Add
	if err := errors.Join(mgr.Add(watcher), metrics.Registry.Register(watcher), mgr.AddReadyzCheck("selectors", watcher.Ready)); err != nil {
		return err
	}
	instance, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("finding a name for events: %w", err)
	}
	if err := sweeper.Setup(mgr, sweeper.Options{
		Workers:            o.workers,
		ReplacementTimeout: o.replacementTimeout,
		Instance:           instance,
		Selectors:          watcher,
		Changes:            changes,
		ServerTime:         serverTime,
		Local:              clock.RealClock{},
		Elapsed:            clock.RealClock{},
		Metrics:            metrics.Registry,
	}); err != nil {
		return err
	}
	if o.selfSigned {
		events := mgr.GetEventRecorder("isolate-sweeper")
		if err := authority.Setup(mgr, authority.Options{
			Config:    o.certificates,
			Namespace: command.PodNamespace(defaultNamespace),
			Clock:     clock.RealClock{},
			Ahead:     func() time.Duration { return serverTime.Ahead(time.Now()) },
			Publish: func(_ context.Context, e authority.Event) {
				events.Eventf(e.Secret, nil, e.Type, e.Reason, "ManageCertificate", "%s", e.Note)
			},
			Metrics: metrics.Registry,
		}); err != nil {
			return err
		}
	}
	return mgr.Start(ctx)
}

func managerOptions(o *options, process *command.Process) manager.Options {
	// As client-go has them: a lease of 15 seconds is renewed every 2, for 10 at most.
	renew, retry := o.leaseDuration*2/3, o.leaseDuration*2/15
	return manager.Options{
		Cache:                         sweeper.CacheOptions(),
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true, // main ends with run.
		LeaseDuration:                 &o.leaseDuration,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
		HealthProbeBindAddress:        process.HealthAddress,
		Metrics:                       server.Options{BindAddress: process.MetricsAddress},
	}
}
