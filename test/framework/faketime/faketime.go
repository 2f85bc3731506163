package faketime

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/utils/clock"
)

// Clock is a machine's clock that tests can set. The zero value shows the real time.
type Clock struct{ ahead atomic.Int64 }

// Set makes the clock differ from the real time; it is behind if ahead is negative.
func (c *Clock) Set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

// Now implements [clock.PassiveClock]. The result has no monotonic reading, because that
// does not follow a clock that is set.
func (c *Clock) Now() time.Time { return time.Now().Round(0).Add(time.Duration(c.ahead.Load())) }

// Since implements [clock.PassiveClock].
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Ticker is a real clock whose ticks are sent by tests.
type Ticker struct {
	clock.RealClock
	Ticks chan time.Time
}

// NewTicker implements [clock.WithTicker].
func (t *Ticker) NewTicker(time.Duration) clock.Ticker { return t }

// C implements [clock.Ticker].
func (t *Ticker) C() <-chan time.Time { return t.Ticks }

// Stop implements [clock.Ticker].
func (t *Ticker) Stop() {}

// Server changes the Date headers of an API server's responses. The zero value changes
// nothing.
type Server struct {
	mu     sync.Mutex
	ahead  time.Duration
	hidden bool
}

// Set makes the API server's clock differ from the real time.
func (s *Server) Set(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// Hide removes the header.
func (s *Server) Hide(hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = hidden
}

// Wrap is for rest.Config.Wrap.
func (s *Server) Wrap(next http.RoundTripper) http.RoundTripper { return &transport{next, s} }

type transport struct {
	next   http.RoundTripper
	server *Server
}

var _ utilnet.RoundTripperWrapper = &transport{}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	if t.server.hidden {
		response.Header.Del("Date")
	} else if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		response.Header.Set("Date", date.Add(t.server.ahead).Format(http.TimeFormat))
	}
	return response, nil
}

// WrappedRoundTripper implements [utilnet.RoundTripperWrapper].
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.next }
