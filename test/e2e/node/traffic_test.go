//go:build linux

package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// clients send concurrently; enough is how many of their requests are a proof.
	clients = 8
	enough  = 2000
)

// traffic counts the answers to requests through a Service, each on a fresh connection.
type traffic struct {
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu sync.Mutex
	// answers counts by what was answered: the pod's name, or the error.
	answers map[string]int
}

func startTraffic(t *testing.T, url string) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &traffic{cancel: cancel, answers: map[string]int{}}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range clients {
		s.group.Go(func() {
			for ctx.Err() == nil {
				answer := request(ctx, client, url)
				if ctx.Err() != nil {
					return // It was cancelled at the end.
				}
				s.mu.Lock()
				s.answers[answer]++
				s.mu.Unlock()
			}
		})
	}
	t.Cleanup(func() { s.stop() })
	return s
}

// request returns the body of the answer, or the error.
func request(ctx context.Context, client *http.Client, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(body))
}

// total returns how many requests were answered or failed.
func (s *traffic) total() (total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, count := range s.answers {
		total += count
	}
	return total
}

// stop ends the traffic and returns the counts.
func (s *traffic) stop() map[string]int {
	s.cancel()
	s.group.Wait()
	return s.answers
}

// goOn waits until so many more requests were answered.
func (n *namespace) goOn(s *traffic) {
	n.Helper()
	since := s.total()
	n.until(func() bool { return s.total() >= since+enough }, "%d more requests are answered", enough)
}

func TestNoRequestFailsWhileAPodLeavesItsService(t *testing.T) {
	n := newNamespace(t)
	pods := n.deploy(3)
	broken := pods[0]
	direct := fmt.Sprintf("http://%s:%d", broken.Status.PodIP, port)
	keeping := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}

	n.until(func() bool { return strings.HasPrefix(request(t.Context(), keeping, n.service()), "web-") }, "kube-proxy knows the Service")
	keeping.CloseIdleConnections()

	stream := startTraffic(t, n.service())
	n.goOn(stream)
	n.keepConnection(keeping, broken.Name)
	n.post(broken.Name, "/fault/error") // From here on its answers are failures, as an application's own.
	n.goOn(stream)
	_, answered := n.quarantine(broken.Name)
	replaced := n.ready("app=web", 3)
	n.goOn(stream)
	count := request(t.Context(), http.DefaultClient, direct+"/count")
	last, err := time.Parse(time.RFC3339Nano, request(t.Context(), http.DefaultClient, direct+"/last"))
	require.NoError(t, err)
	n.goOn(stream)

	require.Equal(t, count, request(t.Context(), http.DefaultClient, direct+"/count"), "nothing reaches the pod through its Service any more")
	require.Equal(t, broken.Name+" is broken", request(t.Context(), keeping, n.service()), "a connection that is open stays open")
	require.NotContains(t, names(replaced), broken.Name)
	answers := stream.stop()
	own, total := answers[broken.Name+" is broken"], 0
	for answer, answeredSo := range answers {
		total += answeredSo
		if !strings.HasPrefix(answer, "web-") {
			t.Errorf("%d requests failed: %s", answeredSo, answer)
		}
	}
	require.Positive(t, own, "the pod was broken before it was quarantined")
	t.Logf("%d requests while a pod was quarantined: none failed beside %d that the broken pod answered itself; its last request came %s after the answer to the quarantine",
		total, own, last.Sub(answered).Round(time.Millisecond))
}

// keepConnection has the client keep a connection to this pod.
func (n *namespace) keepConnection(client *http.Client, pod string) {
	n.Helper()
	n.until(func() bool {
		if request(n.Context(), client, n.service()) == pod {
			return true
		}
		client.CloseIdleConnections()
		return false
	}, "a connection leads to pod %s", pod)
}

// A pod that hangs keeps its clients waiting until it is quarantined. New requests then
// go to the others.
func TestAPodThatHangsGetsNoMoreRequests(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(2)[0]
	n.post(pod.Name, "/fault/hang")
	n.quarantine(pod.Name)
	n.ready("app=web", 2)
	direct := fmt.Sprintf("http://%s:%d", pod.Status.PodIP, port)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	// kube-proxy may be a moment late: a request that still hangs is given up.
	n.until(func() bool {
		before := request(n.Context(), http.DefaultClient, direct+"/count")
		for range 20 {
			ctx, cancel := context.WithTimeout(n.Context(), time.Second)
			request(ctx, client, n.service())
			cancel()
		}
		after := request(n.Context(), http.DefaultClient, direct+"/count")
		_, err := strconv.Atoi(after)
		require.NoError(n, err)
		return before == after
	}, "20 requests in a row avoid the pod that hangs")
}
