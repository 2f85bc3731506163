package webhook

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// apiServerIdleTimeout is how long the API server keeps a connection that it
// doesn't use, http.DefaultTransport's IdleConnTimeout: see SetTransportDefaults
// in k8s.io/apimachinery/pkg/util/net, by which it makes the clients of its webhooks.
const apiServerIdleTimeout = 90 * time.Second

const (
	// idleTimeout is longer than the API server's, so that it is never the webhook
	// that closes a connection on which a review may just be coming. That goes for one
	// that was never used, too: the API server keeps those that it opened in vain.
	idleTimeout = 2 * apiServerIdleTimeout

	// shutdownTimeout is for the reviews still under way when the drain is over. The
	// API server waits ten seconds for an answer unless told otherwise.
	shutdownTimeout = 10 * time.Second
)

// NewServer listens at the address, host:port, and returns what serves reviews
// there once it is added to a manager. The certificate is asked for at each
// handshake. The errors are those of [tls.Listen].
func NewServer(address string, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), reviews http.Handler, drain *Drain) (*manager.Server, error) {
	listener, err := tls.Listen("tcp", address, &tls.Config{
		GetCertificate: certificate,
		MinVersion:     tls.VersionTLS13,
		// The API server speaks HTTP/1.1 to a Service, and HTTP/2 only on loopback.
		// One protocol behaves, and is measured, alike everywhere.
		NextProtos: []string{"http/1.1"},
	})
	if err != nil {
		return nil, fmt.Errorf("serving admission reviews: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(Path, reviews)
	return &manager.Server{
		Name:     "admission",
		Listener: listener,
		Server: &http.Server{
			Handler:           drain.handler(mux),
			ConnState:         drain.connState,
			IdleTimeout:       idleTimeout,
			ReadHeaderTimeout: idleTimeout,
			ErrorLog:          slog.NewLogLogger(logr.ToSlogHandler(log.Log.WithName("admission")), slog.LevelWarn),
		},
		ShutdownTimeout: new(shutdownTimeout),
	}, nil
}
