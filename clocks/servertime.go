package clocks

import (
	"net/http"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/utils/clock"
)

// dateResolution is how exact a Date header is: it is truncated to the second.
const dateResolution = time.Second

// ServerTime reads the API server's time from the Date header of its responses. Any
// response does, so it costs nothing while there is traffic.
type ServerTime struct {
	elapsed clock.PassiveClock

	mu   sync.Mutex
	last *reading
}

// reading is one Date header, and when its request was sent and its response arrived.
type reading struct {
	date           time.Time
	sent, received time.Time
}

// NewServerTime returns a ServerTime that has seen no response yet. It measures the age
// of a reading by elapsed, which must not jump when the machine's time is set:
// [clock.RealClock] does not, because Go's times carry a monotonic reading.
func NewServerTime(elapsed clock.PassiveClock) *ServerTime {
	return &ServerTime{elapsed: elapsed}
}

// Wrap is for [k8s.io/client-go/rest.Config.Wrap].
func (s *ServerTime) Wrap(next http.RoundTripper) http.RoundTripper {
	return &dateReader{next: next, serverTime: s}
}

// bounds returns the earliest and the latest time that the API server's clock can show
// now, judging by its last response, and how old that response is. ok is false before
// the first one.
//
// The header is truncated to the second and the response travels: when it arrived, the
// server's clock showed at least the header. When the request was sent, it showed less
// than one second more.
func (s *ServerTime) bounds() (earliest, latest time.Time, age time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return time.Time{}, time.Time{}, 0, false
	}
	age = s.elapsed.Since(s.last.received)
	roundTrip := s.last.received.Sub(s.last.sent)
	earliest = s.last.date.Add(age)
	return earliest, earliest.Add(roundTrip + dateResolution), age, true
}

// Ahead returns how far the API server's clock is certainly ahead of another clock that
// shows local now, negative if behind, and 0 before the first response.
func (s *ServerTime) Ahead(local time.Time) time.Duration {
	earliest, latest, _, ok := s.bounds()
	if !ok {
		return 0
	}
	return skewOf(local, earliest, latest)
}

func (s *ServerTime) read(header string, sent time.Time) {
	date, err := http.ParseTime(header)
	if err != nil { // A proxy's error page may have none.
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = &reading{date: date, sent: sent, received: s.elapsed.Now()}
}

// dateReader reads the Date header of every response.
type dateReader struct {
	next       http.RoundTripper
	serverTime *ServerTime
}

var _ utilnet.RoundTripperWrapper = &dateReader{}

// RoundTrip implements [http.RoundTripper].
func (d *dateReader) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := d.serverTime.elapsed.Now()
	response, err := d.next.RoundTrip(request)
	if err == nil {
		d.serverTime.read(response.Header.Get("Date"), sent)
	}
	return response, err
}

// WrappedRoundTripper lets client-go find the transport underneath, to close its idle
// connections.
func (d *dateReader) WrappedRoundTripper() http.RoundTripper { return d.next }
