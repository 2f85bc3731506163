package sweeper

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

var errCut = errors.New("the network is cut")

// network is the network between a sweeper and the API server. It records the requests.
// Tests can cut it, delay it, and shift the API server's clock as the sweeper sees it.
type network struct {
	mu      sync.Mutex
	lines   []string // method and URL of each answered request
	deletes []deletion
	sending sync.RWMutex // read-locked by each DELETE without a response
	before  func(pod string) error
	ahead   time.Duration
	cut     bool
	delay   time.Duration
	held    chan struct{} // closed to let requests that inform people continue
}

// deletion is one DELETE of a pod.
type deletion struct {
	pod  string
	code int
	sent time.Time
}

// link is a transport over the network. Leader election has its own.
type link struct {
	next http.RoundTripper
	*network
}

// RoundTrip implements [http.RoundTripper].
func (n *link) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := time.Now()
	_, pod, isPod := strings.Cut(request.URL.Path, "/pods/")
	isDelete := isPod && request.Method == http.MethodDelete
	n.mu.Lock()
	cut, before, delay, held := n.cut, n.before, n.delay, n.held
	n.mu.Unlock()
	if cut {
		return nil, errCut
	}
	if isDelete {
		n.sending.RLock()
		defer n.sending.RUnlock()
	}
	if isDelete && before != nil {
		if err := before(pod); err != nil {
			return nil, err
		}
	}
	if held != nil && informs(request) {
		select {
		case <-held:
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
	pause(request.Context(), delay)
	response, err := n.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, request.Method+" "+request.URL.String())
	if isDelete {
		n.deletes = append(n.deletes, deletion{pod, response.StatusCode, sent})
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		response.Header.Set("Date", date.Add(n.ahead).Format(http.TimeFormat))
	}
	return response, nil
}

// beforeDelete calls f with the pod's name before each DELETE reaches the API server, so
// after the sweeper has checked the pod.
func (n *network) beforeDelete(f func(pod string) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = f
}

// informs reports whether a request only serves to inform people: an event, or a list that
// is not limited to quarantined pods.
func informs(request *http.Request) bool {
	if request.Method == http.MethodPost {
		return strings.HasSuffix(request.URL.Path, "/events")
	}
	return request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/pods") && !request.URL.Query().Has("labelSelector")
}

// holdInforming holds the requests that inform people until the returned function is
// called.
func (n *network) holdInforming() (resume func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = make(chan struct{})
	return sync.OnceFunc(func() { close(n.held) })
}

// slowDown delays every request.
func (n *network) slowDown(delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = delay
}

// sent returns when the last DELETE was sent for each pod with the prefix.
func (n *network) sent(prefix string) map[string]time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := map[string]time.Time{}
	for _, d := range n.deletes {
		if strings.HasPrefix(d.pod, prefix) {
			sent[d.pod] = d.sent
		}
	}
	return sent
}

// setServerClock makes the API server's clock look this far ahead.
func (n *network) setServerClock(ahead time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ahead = ahead
}

// fail makes all further requests fail.
func (n *network) fail() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = true
}

// codes returns the status codes of the responses to a pod's DELETEs, in order. A pod can be
// gone a moment before the response arrives, so it waits for those that are under way.
func (n *network) codes(pod string) []int {
	n.sending.Lock()
	defer n.sending.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	var codes []int
	for _, d := range n.deletes {
		if d.pod == pod {
			codes = append(codes, d.code)
		}
	}
	return codes
}

// asked counts the requests with this method whose URL contains all parts.
func (n *network) asked(method string, parts ...string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, line := range n.lines {
		missing := slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
		if strings.HasPrefix(line, method+" ") && !missing {
			count++
		}
	}
	return count
}

// succeeded counts the successful DELETEs of each pod.
func succeeded(networks ...*network) map[string]int {
	counted := map[string]int{}
	for _, n := range networks {
		n.mu.Lock()
		for _, d := range n.deletes {
			if d.code == http.StatusOK {
				counted[d.pod]++
			}
		}
		n.mu.Unlock()
	}
	return counted
}
