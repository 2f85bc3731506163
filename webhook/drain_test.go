package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
)

// draining is a webhook that is stopped while the API server has open connections to it,
// each used once.
type draining struct {
	*testing.T
	drain *Drain

	// trusted has the webhook's certificate, the standard library's certificate for tests.
	trusted *x509.CertPool

	// address is the webhook's address. stop begins the drain, and ctx ends with it.
	address string
	stop    context.CancelFunc
	ctx     context.Context
}

func startDraining(t *testing.T) *draining {
	t.Helper()
	d := &draining{T: t, drain: NewDrain(time.Minute, testclock.NewFakeClock(time.Now()))} // This clock stands still.
	example := httptest.NewTLSServer(nil)
	defer example.Close()
	d.trusted = x509.NewCertPool()
	d.trusted.AddCert(example.Certificate())
	certificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &example.TLS.Certificates[0], nil }
	server, err := NewServer(ServerOptions{Address: "127.0.0.1:0", GetCertificate: certificate, Drain: d.drain, Reviews: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	})})
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

// connect returns a client with its own connection, used once.
func (d *draining) connect() *http.Client {
	d.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.trusted}}}
	d.Cleanup(client.CloseIdleConnections)
	require.False(d, d.ask(client))
	return client
}

// ask sends a review, and reports whether the response closes the connection.
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

func TestADrainClosesEachConnectionAfterItsResponse(t *testing.T) {
	d := startDraining(t)
	client, idle := d.connect(), d.connect()
	require.NoError(t, d.drain.Ready(nil))
	require.EqualValues(t, 2, d.drain.open.Load())

	d.stop()
	require.Eventually(t, func() bool { return d.drain.Ready(nil) != nil }, time.Minute, time.Millisecond)
	require.EqualError(t, d.drain.Ready(nil), "shutting down; not accepting new connections")
	require.True(t, d.ask(client), "a connection from before")
	require.True(t, d.ask(client), "a new one")
	require.Eventually(t, func() bool { return d.drain.open.Load() == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, d.ctx.Err(), "it keeps serving")

	idle.CloseIdleConnections()
	require.Eventually(t, func() bool { return d.drain.open.Load() == 0 }, time.Minute, time.Millisecond)
}

// After a whole period without use, the API server may reuse a connection just when the
// webhook would close it.
func TestADrainWaitsForTheAPIServerToCloseIdleConnections(t *testing.T) {
	const period = 5 * time.Second
	for _, test := range []struct {
		rule        string
		period      time.Duration
		opened      bool
		closedAfter time.Duration // 0 for never
		want        time.Duration
	}{
		{"without connections it keeps serving for the period", period, false, 0, period},
		{"a connection that is closed within the period does not extend it", period, true, time.Second, period},
		{"the drain waits for an idle connection", period, true, time.Minute, time.Minute},
		{"it does not wait longer than the maximum", period, true, 0, maxDrain},
		{"a longer period takes precedence over the maximum", 2 * maxDrain, true, 0, 2 * maxDrain},
		{"a period of 0 ends at once", 0, true, 0, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				drain := NewDrain(test.period, clock.RealClock{}) // The clock of the synctest bubble.
				stop, cancel := context.WithCancel(t.Context())
				ctx := drain.Context(stop)
				if test.opened {
					drain.opened()
				}
				start := time.Now()
				cancel()
				if test.closedAfter > 0 {
					time.AfterFunc(test.closedAfter, drain.closedOne)
				}
				<-ctx.Done()
				require.Equal(t, test.want, time.Since(start))
			})
		})
	}
}
