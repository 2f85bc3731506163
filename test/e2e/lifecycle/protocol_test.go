package lifecycle

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/certs"
	"isolate.example.io/test/framework/installation"
)

// The API server speaks HTTP/1.1 to webhooks behind a Service. The webhook offers
// nothing else, so that tests on loopback measure the same protocol.
func TestWebhookNegotiatesHTTP1Only(t *testing.T) {
	for _, program := range isolated.Programs() {
		if program.Name != "webhook" || !program.Ready(t.Context()) {
			continue
		}
		require.Equal(t, "http/1.1", negotiated(t, program))
		return
	}
	t.Fatal("no webhook is ready")
}

func negotiated(t *testing.T, program *installation.Program) string {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(program.CertDir, certs.CAFile))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(program.Port)),
		&tls.Config{RootCAs: roots, ServerName: "isolate-webhook.isolate-system.svc", NextProtos: []string{"h2", "http/1.1"}})
	require.NoError(t, err)
	defer connection.Close()
	return connection.ConnectionState().NegotiatedProtocol
}
