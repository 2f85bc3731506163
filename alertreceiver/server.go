package alertreceiver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/sweeper/events"
	"isolate.example.io/webhook/connections"
)

// Path is where alerts are received.
const Path = "/alerts"

const (
	// Deadlines of one request, from its first byte.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = requestTimeout + 5*time.Second

	// idleTimeout is longer than that of Alertmanager's client, five minutes, so that the
	// receiver never closes a connection on which a request may be arriving.
	idleTimeout = 6 * time.Minute

	// Deadlines of a new connection. Alertmanager opens one to send a request.
	handshakeTimeout, firstByteTimeout = 10 * time.Second, 10 * time.Second

	maxHeaderBytes = 16 << 10

	// maxConnections bounds all connections, and maxPending those without a request that had
	// the token. A cluster of Alertmanagers keeps a few.
	maxConnections, maxPending = 128, 64

	// shutdownTimeout is for the requests under way. Alertmanager repeats a lost one.
	shutdownTimeout = 10 * time.Second
)

// Options are what the receiver needs in addition to a manager.
type Options struct {
	Config Config

	// Address is where alerts are received, as host:port.
	Address string

	// GetCertificate returns the serving certificate. Without it, the receiver serves plain
	// HTTP.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// Tokens are the tokens that requests may carry.
	Tokens TokenFile

	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

// Setup adds the receiver and its readiness check to a manager, and begins to listen.
func Setup(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return fmt.Errorf("registering the receiver's metrics: %w", err)
	}
	direct, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	instance, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("looking up the host name for events: %w", err)
	}
	recorder, err := events.NewRecorder(direct, clock.RealClock{}, events.Reporter{Controller: reportingController, Instance: instance}, nil, options.Metrics)
	if err != nil {
		return fmt.Errorf("registering the metrics of events: %w", err)
	}
	server, err := newServer(options, newHandler(options.Config, options.Tokens, &quarantiner{direct}, recorder, metrics))
	if err != nil {
		return err
	}
	return errors.Join(mgr.Add(recorder), mgr.Add(server), mgr.AddReadyzCheck("token", options.Tokens.Ready))
}

func newServer(options Options, handler http.Handler) (*manager.Server, error) {
	var config *tls.Config
	if options.GetCertificate != nil {
		config = &tls.Config{GetCertificate: options.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	listener, err := connections.Listen(options.Address, config, connections.Limits{
		Total: maxConnections, Pending: maxPending, Handshake: handshakeTimeout, FirstByte: firstByteTimeout,
	}, func() {}, func() {})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(http.MethodPost+" "+Path, handler)
	return &manager.Server{
		Name:     "alerts",
		Listener: listener,
		Server: &http.Server{
			Handler:           mux,
			ConnContext:       connections.Context,
			ConnState:         connections.State,
			IdleTimeout:       idleTimeout,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(logr.ToSlogHandler(log.Log.WithName("alerts")), slog.LevelWarn),
		},
		ShutdownTimeout: new(shutdownTimeout),
	}, nil
}
