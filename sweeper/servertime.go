package sweeper

import (
	"net/http"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/utils/clock"
)

// dateResolution is how exact a Date header is: it is cut to the second.
const dateResolution = time.Second

// ServerTime notes the API server's time from the Date header of its answers.
// Every answer will do, so as long as there is traffic it costs nothing.
type ServerTime struct {
	elapsed clock.PassiveClock

	mu     sync.Mutex
	latest *reading
}

// reading is one Date header, and when its request was sent and its answer came.
type reading struct {
	date           time.Time
	sent, received time.Time
}

// NewServerTime returns a ServerTime that knows nothing yet. It measures by
// elapsed how old a reading is; that clock must not jump when the machine's time
// is set, as [clock.RealClock] does not: Go's times carry a monotonic reading.
func NewServerTime(elapsed clock.PassiveClock) *ServerTime {
	return &ServerTime{elapsed: elapsed}
}

// Wrap is for [k8s.io/client-go/rest.Config.Wrap].
func (s *ServerTime) Wrap(next http.RoundTripper) http.RoundTripper {
	return &dateReader{next: next, note: s}
}

// bounds are the earliest and the latest that the API server's clock can show now,
// going by its last answer, and how old that answer is. ok is false before the
// first one.
//
// The header was cut to the second and has travelled since: when the answer came,
// the server's clock showed no less than the header. When the request was sent, it
// showed less than one second more.
func (s *ServerTime) bounds() (earliest, latest time.Time, age time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil {
		return time.Time{}, time.Time{}, 0, false
	}
	age = s.elapsed.Since(s.latest.received)
	roundTrip := s.latest.received.Sub(s.latest.sent)
	earliest = s.latest.date.Add(age)
	return earliest, earliest.Add(roundTrip + dateResolution), age, true
}

// Ahead is by how much the API server's clock is certainly ahead of another, which
// shows local now, or, negative, behind; 0 before the first answer.
func (s *ServerTime) Ahead(local time.Time) time.Duration {
	earliest, latest, _, ok := s.bounds()
	if !ok {
		return 0
	}
	return skew(local, earliest, latest)
}

func (s *ServerTime) note(header string, sent time.Time) {
	date, err := http.ParseTime(header)
	if err != nil { // Not every proxy's error page has one.
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = &reading{date: date, sent: sent, received: s.elapsed.Now()}
}

// dateReader notes the Date header of every answer that passes through it.
type dateReader struct {
	next http.RoundTripper
	note *ServerTime
}

var _ utilnet.RoundTripperWrapper = &dateReader{}

// RoundTrip implements [http.RoundTripper].
func (d *dateReader) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := d.note.elapsed.Now()
	response, err := d.next.RoundTrip(request)
	if err == nil {
		d.note.note(response.Header.Get("Date"), sent)
	}
	return response, err
}

// WrappedRoundTripper lets client-go find the transport underneath, to close its
// idle connections.
func (d *dateReader) WrappedRoundTripper() http.RoundTripper { return d.next }
