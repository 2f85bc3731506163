package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
	example := httptest.NewTLSServer(nil)
	defer example.Close()
	server, err := NewServer(ServerOptions{
		Address: "127.0.0.1:0", ClientCAs: x509.NewCertPool(), Reviews: http.NotFoundHandler(), Drain: NewDrain(time.Second, clock.RealClock{}),
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
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+server.Listener.Addr().String()+Path, http.NoBody)
	require.NoError(t, err)
	response, err := example.Client().Do(request)
	if err == nil {
		response.Body.Close()
	}
	require.ErrorContains(t, err, "certificate required")
}
