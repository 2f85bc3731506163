package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"isolate.example.io/certs"
	"isolate.example.io/clocks"
	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/selectors"
	"isolate.example.io/webhook"
)

// Run serves admission reviews until the context ends. It implements
// [command.Options].
func (o *options) Run(ctx context.Context, process *command.Process) error {
	serverTime := clocks.NewServerTime(clock.RealClock{})
	mgr, err := process.NewManager(manager.Options{}, serverTime.Wrap)
	if err != nil {
		return err
	}
	watcher, err := o.newWatcher(mgr)
	if err != nil {
		return err
	}
	clientCAs, err := certs.ReadPool(o.clientCA)
	if err != nil {
		return err
	}
	files := certs.NewFileSource(o.certDir, clock.RealClock{})
	drain := webhook.NewDrain(o.drainPeriod, clock.RealClock{})
	if err := errors.Join(
		registerProcessMetrics(metrics.Registry), files.RegisterMetrics(metrics.Registry), metrics.Registry.Register(watcher),
		mgr.Add(files), mgr.Add(watcher),
		webhook.Setup(mgr, webhook.Options{
			Config:         o.rules,
			Selectors:      watcher,
			Address:        net.JoinHostPort(o.host, strconv.Itoa(o.port)),
			GetCertificate: files.GetCertificate,
			ClientCAs:      clientCAs,
			ServerTime:     serverTime,
			Drain:          drain,
			Ready:          map[string]healthz.Checker{"certificate": files.Ready, "selectors": watcher.Ready},
			Metrics:        metrics.Registry,
		}),
	); err != nil {
		return err
	}
	return mgr.Start(drain.Context(ctx))
}

// registerProcessMetrics registers the metrics of the process and of the Go runtime.
// controller-runtime registers them in programs with controllers only.
func registerProcessMetrics(registry prometheus.Registerer) error {
	return errors.Join(
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		registry.Register(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll))),
	)
}

// newWatcher returns a watcher of everything that selects pods.
func (o *options) newWatcher(mgr manager.Manager) (*selectors.Watcher, error) {
	watcher, err := selectors.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfigAndClient(dynamic.ConfigFor(mgr.GetConfig()), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("creating a client for custom resources: %w", err)
	}
	return watcher.WithNetworkPolicies().WithEndpointSlices().WithResources(objects, o.selecting.Resources), nil
}
