package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	testclock "k8s.io/utils/clock/testing"
)

// draining is a webhook that is told to stop while the API server has connections
// to it which it used once.
type draining struct {
	*testing.T
	clock *testclock.FakeClock
	drain *Drain

	// trusted has the webhook's certificate, which is the standard library's for tests.
	trusted *x509.CertPool

	// address is the webhook's; stop tells it to stop, and ctx ends with its drain.
	address string
	stop    context.CancelFunc
	ctx     context.Context
}

func startDraining(t *testing.T, period time.Duration) *draining {
	t.Helper()
	d := &draining{T: t, clock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	d.drain = NewDrain(period, d.clock)
	example := httptest.NewTLSServer(nil)
	defer example.Close()
	d.trusted = x509.NewCertPool()
	d.trusted.AddCert(example.Certificate())
	certificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &example.TLS.Certificates[0], nil }
	server, err := NewServer("127.0.0.1:0", certificate, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}), d.drain)
	require.NoError(t, err)
	d.address = server.Listener.Addr().String()
	stop, cancel := context.WithCancel(t.Context())
	d.stop, d.ctx = cancel, d.drain.Context(stop)
	t.Cleanup(cancel)
	ended := make(chan error)
	serving, end := context.WithCancel(context.Background())
	go func() { ended <- server.Start(serving) }()
	t.Cleanup(func() {
		end()
		require.NoError(t, <-ended)
	})
	return d
}

// connect is a client with a connection of its own, used once.
func (d *draining) connect() *http.Client {
	d.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.trusted}}}
	d.Cleanup(client.CloseIdleConnections)
	require.False(d, d.ask(client))
	return client
}

// ask sends a review, and says whether the answer closes the connection.
func (d *draining) ask(client *http.Client) (closes bool) {
	d.Helper()
	request, err := http.NewRequestWithContext(d.Context(), http.MethodPost, "https://"+d.address+Path, http.NoBody)
	require.NoError(d, err)
	response, err := client.Do(request)
	require.NoError(d, err)
	require.NoError(d, response.Body.Close())
	require.Equal(d, http.StatusTeapot, response.StatusCode)
	require.Equal(d, 1, response.ProtoMajor)
	require.EqualValues(d, tls.VersionTLS13, response.TLS.Version)
	return response.Close
}

// pass lets a time pass that the drain waits for.
func (d *draining) pass(period time.Duration) {
	d.Helper()
	require.Eventually(d, d.clock.HasWaiters, time.Minute, time.Millisecond)
	d.clock.Step(period)
}

func TestADrainServesOnAndClosesEveryConnectionWithItsAnswer(t *testing.T) {
	d := startDraining(t, 5*time.Second)
	client := d.connect()
	require.NoError(t, d.drain.Ready(nil))

	d.stop()
	require.Eventually(t, d.clock.HasWaiters, time.Minute, time.Millisecond)
	require.EqualError(t, d.drain.Ready(nil), "stopping: new connections belong elsewhere")
	require.True(t, d.ask(client), "a connection from before")
	require.True(t, d.ask(client), "a new one")
	require.NoError(t, d.ctx.Err(), "it serves on")

	d.pass(5 * time.Second)
	<-d.ctx.Done()
}

// The API server may take a connection that was idle through the whole period in
// the very moment in which the webhook would close it.
func TestADrainLeavesConnectionsThatAreIdleToTheAPIServer(t *testing.T) {
	for name, end := range map[string]func(d *draining, client *http.Client){
		"used once more": func(d *draining, client *http.Client) { require.True(d, d.ask(client)) },
		"closed":         func(_ *draining, client *http.Client) { client.CloseIdleConnections() },
		"never closed":   func(d *draining, _ *http.Client) { d.clock.Step(maxIdle) },
	} {
		t.Run(name, func(t *testing.T) {
			d := startDraining(t, 5*time.Second)
			client := d.connect()
			d.stop()
			d.pass(5 * time.Second)
			require.Eventually(t, d.clock.HasWaiters, time.Minute, time.Millisecond, "it waits for the connection")
			require.NoError(t, d.ctx.Err())
			end(d, client)
			<-d.ctx.Done()
		})
	}
}

func TestNoDrainEndsAtOnce(t *testing.T) {
	d := startDraining(t, 0)
	d.connect()
	d.stop()
	<-d.ctx.Done()
}
