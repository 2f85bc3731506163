package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/webhook/connections"
)

// apiServerIdleTimeout is how long the API server keeps an idle connection,
// http.DefaultTransport's IdleConnTimeout: see SetTransportDefaults in
// k8s.io/apimachinery/pkg/util/net, with which it creates the clients of its webhooks.
const apiServerIdleTimeout = 90 * time.Second

const (
	// idleTimeout is longer than the API server's, so that the webhook never closes a
	// connection on which a review may be arriving. It also bounds the wait for the
	// first request: the API server keeps connections that it opened and did not use.
	idleTimeout = 2 * apiServerIdleTimeout

	// Deadlines of one request, from its first byte. The API server waits for five
	// seconds as shipped, and for at most thirty.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 35 * time.Second

	// handshakeTimeout is what the API server allows for a TLS handshake.
	handshakeTimeout = 10 * time.Second

	// maxHeaderBytes bounds the header of a request. The API server's has a few hundred bytes.
	maxHeaderBytes = 16 << 10

	// maxConnections bounds all connections, of API servers and others, and maxPending those
	// that have not completed a review. A connection takes some 50 KiB.
	maxConnections, maxPending = 1024, 512

	// shutdownTimeout is for the reviews under way when the drain is complete. The API
	// server waits ten seconds for a response unless configured otherwise.
	shutdownTimeout = 10 * time.Second
)

// ServerOptions configure a server. All but ClientCAs are required.
type ServerOptions struct {
	// Address is host:port.
	Address string

	// GetCertificate returns the serving certificate. It is called for each handshake.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// ClientCAs, unless nil, verify the certificate that each client must present.
	ClientCAs *x509.CertPool

	// Reviews answers the reviews.
	Reviews http.Handler

	// Drain shuts the server down.
	Drain *Drain
}

// NewServer listens, and returns a server that serves reviews once it is added to a
// manager.
func NewServer(options ServerOptions) (*manager.Server, error) {
	config := &tls.Config{
		GetCertificate: options.GetCertificate,
		MinVersion:     tls.VersionTLS13,
		// The API server speaks HTTP/1.1 to a Service, and HTTP/2 only on loopback. With
		// one protocol, tests and measurements show the same behavior as a cluster.
		NextProtos: []string{"http/1.1"},
		// The API server resumes no session: client-go gives its clients no
		// ClientSessionCache. Without tickets, untrusted clients cost less.
		SessionTicketsDisabled: true,
	}
	if options.ClientCAs != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, options.ClientCAs
	}
	listener, err := connections.Listen(options.Address, config, connections.Limits{
		Total: maxConnections, Pending: maxPending, Handshake: handshakeTimeout, FirstByte: idleTimeout,
	}, options.Drain.opened, options.Drain.closedOne)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(Path, options.Reviews)
	mux.Handle(ValidatePath, options.Reviews)
	return &manager.Server{
		Name:     "admission",
		Listener: listener,
		Server: &http.Server{
			Handler:           options.Drain.handler(mux),
			ConnContext:       connections.Context,
			ConnState:         connections.State,
			IdleTimeout:       idleTimeout,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(logr.ToSlogHandler(log.Log.WithName("admission")), slog.LevelWarn),
		},
		ShutdownTimeout: new(shutdownTimeout),
	}, nil
}
