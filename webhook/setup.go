package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/clocks"
	"isolate.example.io/quarantine"
	"isolate.example.io/webhook/budget"
)

// Options are what the webhook needs in addition to a manager. All but ClientCAs, Ready and Local are required.
type Options struct {
	// Config configures the decisions.
	Config quarantine.Config

	// Selectors look up what selects a pod.
	Selectors SelectorSource

	// Address is where admission reviews are served, as host:port.
	Address string

	// GetCertificate returns the serving certificate. It is called for each handshake.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// ClientCAs, unless nil, verify the certificate that each client must present.
	ClientCAs *x509.CertPool

	// ServerTime must wrap the manager's rest.Config.
	ServerTime *clocks.ServerTime

	// Drain delays the end of the manager's context; see [Drain.Context].
	Drain *Drain

	// Ready are the readiness checks besides the webhook's own, by name.
	Ready map[string]healthz.Checker

	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer

	// Local is this machine's clock, for tests. If it is nil, it is the real clock.
	Local clock.PassiveClock
}

// SelectorSource is a source of selectors.
type SelectorSource interface {
	Selectors
	Source
}

// Setup adds the webhook and its readiness checks to a manager, and begins to listen.
func Setup(mgr manager.Manager, options Options) error {
	metrics, err := NewMetrics(options.Metrics)
	if err != nil {
		return fmt.Errorf("registering the webhook's metrics: %w", err)
	}
	client, err := metadata.NewForConfigAndClient(metadata.ConfigFor(mgr.GetConfig()), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("creating a client for metadata: %w", err)
	}
	serverClock, err := newClocks(mgr, options)
	if err != nil {
		return err
	}
	tracker := budget.NewTracker(client, clock.RealClock{})
	namespaces := NewNamespaceConfigs(client, options.Config, log.Log, metrics)
	server, err := NewServer(ServerOptions{Address: options.Address, GetCertificate: options.GetCertificate, ClientCAs: options.ClientCAs, Drain: options.Drain, Reviews: NewHandler(Handler{
		Config:           options.Config,
		Selectors:        options.Selectors,
		Budgets:          tracker,
		NamespaceConfigs: namespaces,
		Time:             serverClock,
		Metrics:          metrics,
		Clock:            clock.RealClock{},
		Sources:          []Source{options.Selectors, tracker, namespaces, serverClock},
	})})
	if err != nil {
		return err
	}
	checks := map[string]healthz.Checker{"quarantined-pods": tracker.Ready, "namespaces": namespaces.Ready, "server-time": serverClock.Ready, "drain": options.Drain.Ready}
	maps.Copy(checks, options.Ready)
	for name, check := range checks {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return err
		}
	}
	return errors.Join(
		options.Metrics.Register(tracker),
		mgr.Add(tracker), mgr.Add(namespaces), mgr.Add(serverClock), mgr.Add(server),
		registerReady(options.Metrics, checks),
		options.Metrics.Register(budgetCollector{tracker.Used, namespaces, options.Config}),
	)
}

// newClocks returns clocks that measure the API server's time over the manager's connection.
func newClocks(mgr manager.Manager, options Options) (*clocks.Clocks, error) {
	if options.Local == nil {
		options.Local = clock.RealClock{}
	}
	ask, err := clocks.NewAsk(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	return clocks.New(options.Local, options.ServerTime, ask, options.Metrics)
}
