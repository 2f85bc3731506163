package connections

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serving is a server on a listener. It completes a review for each request to
// /review, and holds each request to /slow until released.
type serving struct {
	*testing.T
	*Listener
	// open counts the connections, begun those with a request that has begun, and idle how
	// often one has become idle.
	open, begun, idle atomic.Int64
	client            *tls.Config
	slow              chan struct{}
	release           chan struct{}
}

func serve(t *testing.T, limits Limits) *serving {
	t.Helper()
	example := httptest.NewTLSServer(nil)
	t.Cleanup(example.Close)
	transport, ok := example.Client().Transport.(*http.Transport)
	require.True(t, ok)
	s := &serving{T: t, client: transport.TLSClientConfig, slow: make(chan struct{}), release: make(chan struct{})}
	var err error
	s.Listener, err = Listen("127.0.0.1:0", &tls.Config{Certificates: example.TLS.Certificates, MinVersion: tls.VersionTLS13}, limits,
		func() { s.open.Add(1) }, func() { s.open.Add(-1) })
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnContext: Context, ConnState: func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.begun.Add(1)
		}
		State(c, state)
		if state == http.StateIdle {
			s.idle.Add(1)
		}
	},
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			Received(r.Context())
			if r.URL.Path == "/slow" {
				s.slow <- struct{}{}
				<-s.release
			}
			Completed(r.Context())
		})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.Listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return s
}

func (s *serving) dial() net.Conn {
	s.Helper()
	before := s.open.Load()
	c, err := (&tls.Dialer{Config: s.client}).DialContext(s.Context(), "tcp", s.Addr().String())
	require.NoError(s, err)
	s.Cleanup(func() { _ = c.Close() })
	require.Eventually(s, func() bool { return s.open.Load() > before || s.Shed() > 0 }, time.Minute, time.Millisecond)
	return c
}

// begin opens a connection and sends the first byte of a request. finish sends the rest.
func (s *serving) begin() net.Conn {
	s.Helper()
	before := s.begun.Load()
	c := s.dial()
	_, err := c.Write([]byte("G"))
	require.NoError(s, err)
	require.Eventually(s, func() bool { return s.begun.Load() > before }, time.Minute, time.Millisecond)
	return c
}

func (s *serving) finish(c net.Conn) {
	s.Helper()
	_, err := c.Write([]byte("ET /review HTTP/1.1\r\nHost: webhook\r\n\r\n"))
	require.NoError(s, err)
	require.True(s, answered(c))
}

func (s *serving) send(c net.Conn, path string) {
	s.Helper()
	_, err := c.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: webhook\r\n\r\n"))
	require.NoError(s, err)
}

// answered reads a response, and reports whether there is one.
func answered(c net.Conn) bool {
	n, err := c.Read(make([]byte, 1024))
	return err == nil && n > 0
}

// complete has a review answered. The response arrives before the connection is idle.
func (s *serving) complete(c net.Conn) {
	s.Helper()
	before := s.idle.Load()
	s.send(c, "/review")
	require.True(s, answered(c))
	require.Eventually(s, func() bool { return s.idle.Load() > before }, time.Minute, time.Millisecond)
}

var generous = Limits{Total: 100, Pending: 100, Handshake: time.Minute, FirstByte: time.Minute}

func TestTheLongestIdlePendingConnectionIsClosed(t *testing.T) {
	limits := generous
	limits.Pending = 2
	s := serve(t, limits)
	established := s.dial()
	s.complete(established)
	oldest, older := s.begin(), s.begin()
	newest := s.dial()
	require.False(t, answered(oldest))
	s.finish(older)
	s.complete(newest)
	s.complete(established)
	require.Equal(t, 1, s.Shed())
}

func TestBeyondTheTotalTheLongestIdleConnectionIsClosed(t *testing.T) {
	limits := generous
	limits.Total = 2
	s := serve(t, limits)
	idle, used := s.dial(), s.dial()
	s.complete(idle)
	s.complete(used)
	s.complete(used)
	newest := s.dial()
	require.False(t, answered(idle))
	s.complete(used)
	s.complete(newest)
}

func TestAConnectionWithAReviewUnderWayIsNotClosed(t *testing.T) {
	limits := generous
	limits.Total = 1
	s := serve(t, limits)
	busy := s.dial()
	s.send(busy, "/slow")
	<-s.slow
	_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.Shed() == 1 }, time.Minute, time.Millisecond)
	close(s.release)
	require.True(t, answered(busy))
}

func TestAConnectionOfTheHostWithTheMostIsClosed(t *testing.T) {
	l := &Listener{conns: map[*Conn]struct{}{}, hosts: map[string]*host{}, limits: Limits{Total: 3, Pending: 3}, opened: func() {}, closed: func() {}}
	add := func(host string, arrived int64) (c, victim *Conn) {
		c = &Conn{listener: l}
		c.arrived.Store(arrived)
		return c, l.add(c, host)
	}
	add("api server", 1)
	first, _ := add("untrusted", 2)
	add("untrusted", 3)
	_, victim := add("other", 4)
	require.Same(t, first, victim)
	l.remove(first)
	require.Len(t, l.hosts, 3)
	for c := range l.conns {
		l.remove(c)
	}
	require.Empty(t, l.hosts)
}

func TestAConnectionThatWaitsForItsTurnIsNotSilent(t *testing.T) {
	queued, silent := &Conn{}, &Conn{}
	queued.queued.Store(true)
	silent.arrived.Store(1)
	require.True(t, silent.quieter(queued))
	require.False(t, queued.quieter(silent))
	queued.queued.Store(false)
	require.True(t, queued.quieter(silent))
}

func TestAnUnfinishedHandshakeAndAnUnusedConnectionTimeOut(t *testing.T) {
	for name, limits := range map[string]Limits{
		"handshake":  {Total: 9, Pending: 9, Handshake: time.Millisecond, FirstByte: time.Minute},
		"first byte": {Total: 9, Pending: 9, Handshake: time.Minute, FirstByte: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, limits)
			if name == "handshake" {
				c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
				require.NoError(t, err)
				require.False(t, answered(c))
			} else {
				c, err := (&tls.Dialer{Config: s.client}).DialContext(t.Context(), "tcp", s.Addr().String())
				require.NoError(t, err)
				require.False(t, answered(c))
			}
			require.Eventually(t, func() bool { return s.open.Load() == 0 }, time.Minute, time.Millisecond)
		})
	}
}

func TestWithoutAConfigConnectionsArePlain(t *testing.T) {
	l, err := Listen("127.0.0.1:0", nil, generous, func() {}, func() {})
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnContext: Context, ConnState: State, Handler: http.NotFoundHandler()}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-ended, http.ErrServerClosed)
}
