package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"isolate.example.io/certs"
	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/selectors"
	"isolate.example.io/webhook"
)

// Run serves admission reviews until the context ends. It implements
// [command.Options].
func (o *options) Run(ctx context.Context, process *command.Process) error {
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	client, err := kubernetes.NewForConfig(command.Protobuf(cfg))
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	meta, err := metadata.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("making a client for metadata: %w", err)
	}
	files := certs.NewFileSource(o.certDir, clock.RealClock{})
	objects, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("making a client for custom resources: %w", err)
	}
	watcher := selectors.NewWatcher(client).WithNetworkPolicies(client).WithResources(objects, o.selecting.Resources)
	measured := webhook.NewMetrics(metrics.Registry)
	pods := webhook.NewPods(meta, clock.RealClock{})
	namespaces := webhook.NewNamespaces(meta, o.rules, log.Log, measured)
	drain := webhook.NewDrain(o.drainPeriod, clock.RealClock{})
	admission, err := webhook.NewServer(net.JoinHostPort(o.host, strconv.Itoa(o.port)), files.GetCertificate, &webhook.Handler{
		Rules:     o.rules,
		Selectors: watcher,
		Census:    pods,
		Settings:  namespaces,
		Clock:     clock.RealClock{},
		Metrics:   measured,
	}, drain)
	if err != nil {
		return err
	}
	mgr, err := manager.New(cfg, manager.Options{
		HealthProbeBindAddress: process.HealthAddress,
		Metrics:                server.Options{BindAddress: process.MetricsAddress},
	})
	if err != nil {
		return fmt.Errorf("preparing to run: %w", err)
	}
	if err := errors.Join(
		files.RegisterMetrics(metrics.Registry), metrics.Registry.Register(watcher),
		mgr.Add(files), mgr.Add(watcher), mgr.Add(pods), mgr.Add(namespaces), mgr.Add(admission),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("certificate", files.Ready),
		mgr.AddReadyzCheck("selectors", watcher.Ready),
		mgr.AddReadyzCheck("pods", pods.Ready),
		mgr.AddReadyzCheck("namespaces", namespaces.Ready),
		mgr.AddReadyzCheck("drain", drain.Ready),
	); err != nil {
		return fmt.Errorf("preparing to run: %w", err)
	}
	return mgr.Start(drain.Context(ctx))
}
