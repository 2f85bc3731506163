package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/utils/clock"
)

// A webhook that closes an idle connection may lose a review that is arriving on it.
func TestTheWebhookKeepsIdleConnectionsLongerThanTheAPIServer(t *testing.T) {
	its := utilnet.SetTransportDefaults(&http.Transport{}).IdleConnTimeout
	require.Equal(t, apiServerIdleTimeout, its)
	none := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("nobody asks") }
	server, err := NewServer(ServerOptions{Address: "127.0.0.1:0", GetCertificate: none, Reviews: http.NotFoundHandler(), Drain: NewDrain(time.Second, clock.RealClock{})})
	require.NoError(t, err)
	defer server.Listener.Close()
	require.Greater(t, server.Server.IdleTimeout, its, "for used connections; the listener waits as long for the first byte of an unused one")
}

// A pod that is killed before its drain is complete loses admissions.
func TestTheGracePeriodIsLongerThanTheDrain(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "manifests", "base", "webhook-deployment.yaml"))
	require.NoError(t, err)
	deployment := &appsv1.Deployment{}
	require.NoError(t, yaml.UnmarshalStrict(data, deployment))
	pod := deployment.Spec.Template.Spec
	sleep := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
	has := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	require.Greater(t, has, sleep+maxDrain+shutdownTimeout)
}

func TestAClientWithoutACertificateIsRefusedIfCAsAreConfigured(t *testing.T) {
	client, url := startServer(t, x509.NewCertPool())
	_, err := send(t, client, url)
	require.ErrorContains(t, err, "certificate required")
}

// Tickets would cost CPU for each connection of an untrusted client.
func TestNoSessionIsResumed(t *testing.T) {
	client, url := startServer(t, nil)
	transport := client.Transport.(*http.Transport)
	transport.DisableKeepAlives = true
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		resumed, err := send(t, client, url)
		require.NoError(t, err)
		require.False(t, resumed)
	}
}

// startServer runs a server until the test ends, and returns a client that trusts it and the
// address of its reviews.
func startServer(t *testing.T, clientCAs *x509.CertPool) (client *http.Client, url string) {
	t.Helper()
	example := httptest.NewTLSServer(nil)
	t.Cleanup(example.Close)
	server, err := NewServer(ServerOptions{
		Address: "127.0.0.1:0", ClientCAs: clientCAs, Reviews: http.NotFoundHandler(), Drain: NewDrain(time.Second, clock.RealClock{}),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &example.TLS.Certificates[0], nil },
	})
	require.NoError(t, err)
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	t.Cleanup(func() {
		end()
		require.NoError(t, <-ended)
	})
	return example.Client(), "https://" + server.Listener.Addr().String() + Path
}

// send sends an empty request, reads the whole response, and returns whether the connection
// resumed a session.
func send(t *testing.T, client *http.Client, url string) (resumed bool, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.TLS.DidResume, errors.Join(err, response.Body.Close())
}
