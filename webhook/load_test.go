package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// maxResident bounds the resident memory of a webhook under load. The container's
// limit is twice as much.
const maxResident = 128 << 20

// serveUntilStdinCloses serves reviews at an address that it prints.
func serveUntilStdinCloses() {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	example := httptest.NewTLSServer(nil) // It has a certificate for 127.0.0.1.
	config := quarantine.DefaultConfig()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	check(err)
	namespaces := unreadNamespaces(config, metrics, logr.Discard())
	check(namespaces.cache.Replace(nil, ""))
	server, err := NewServer(ServerOptions{
		Address:        "127.0.0.1:0",
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &example.TLS.Certificates[0], nil },
		Drain:          NewDrain(time.Second, clock.RealClock{}),
		Reviews: NewHandler(Handler{
			Config: config, Selectors: ready{selectors.NewIndex()}, Budgets: unlimited{}, NamespaceConfigs: namespaces,
			Time: fixed(start), Clock: clock.RealClock{}, Metrics: metrics,
		}),
	})
	check(err)
	go func() { check(server.Start(context.Background())) }()
	fmt.Println(server.Listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	check(err)
}

// loaded is a webhook in its own process.
type loaded struct {
	testing.TB
	process *exec.Cmd
	stdin   io.Closer
	address string
	trusted *x509.CertPool
}

func startLoaded(t testing.TB) *loaded {
	t.Helper()
	l := &loaded{TB: t, process: exec.CommandContext(t.Context(), os.Args[0]), trusted: x509.NewCertPool()}
	example := httptest.NewTLSServer(nil)
	defer example.Close()
	l.trusted.AddCert(example.Certificate())
	l.process.Env = append(os.Environ(), serveVariable+"=1")
	l.process.Stderr = os.Stderr
	var err error
	l.stdin, err = l.process.StdinPipe()
	require.NoError(t, err)
	stdout, err := l.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, l.process.Start())
	_, err = fmt.Fscan(stdout, &l.address)
	require.NoError(t, err)
	return l
}

// stop stops the webhook, and returns its greatest resident memory.
func (l *loaded) stop() (maxResident int64) {
	l.Helper()
	require.NoError(l, l.stdin.Close())
	require.NoError(l, l.process.Wait())
	usage, ok := l.process.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(l, ok)
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // In bytes; in KiB on other systems.
	}
	return usage.Maxrss << 10
}

// dial opens a connection. It returns nil if the webhook closes it meanwhile.
func (l *loaded) dial() net.Conn {
	raw, err := (&net.Dialer{}).DialContext(l.Context(), "tcp", l.address)
	if err != nil {
		return nil
	}
	c := tls.Client(raw, &tls.Config{RootCAs: l.trusted, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13})
	if err := c.HandshakeContext(l.Context()); err != nil {
		_ = raw.Close()
		return nil
	}
	return c
}

// open opens connections, and sends the same bytes on each.
func (l *loaded) open(n int, sent []byte) {
	l.Helper()
	var group sync.WaitGroup
	slots := make(chan struct{}, 50)
	for range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if c := l.dial(); c != nil {
				l.Cleanup(func() { _ = c.Close() })
				_, _ = c.Write(sent) // The webhook may close the connection at any time.
			}
		})
	}
	group.Wait()
}

// quarantine sends a review on a new connection, like an API server that has none yet.
func (l *loaded) quarantine() {
	l.Helper()
	review, err := json.Marshal(admissionv1.AdmissionReview{Request: update(trigger)})
	require.NoError(l, err)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.trusted, MinVersion: tls.VersionTLS13}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(l.Context(), http.MethodPost, "https://"+l.address+Path, bytes.NewReader(review))
	require.NoError(l, err)
	response, err := client.Do(request)
	require.NoError(l, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(l, err)
	require.Contains(l, string(body), `"allowed":true`)
}

func head(length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: webhook\r\nContent-Length: %d\r\n\r\n", Path, length)
}

func TestMemoryIsBoundedAndReviewsAreAnswered(t *testing.T) {
	large := []byte(head(maxReviewSize) + strings.Repeat(" ", maxReviewSize))
	for name, attack := range map[string]func(l *loaded){
		"one byte of a large body each": func(l *loaded) { l.open(1000, []byte(head(7_000_000)+"{")) },
		"a large header without an end": func(l *loaded) { l.open(1000, []byte("POST / HTTP/1.1\r\nX: "+strings.Repeat("x", 30_000))) },
		"idle TLS connections":          func(l *loaded) { l.open(1000, nil) },
		"garbage":                       func(l *loaded) { l.open(1000, []byte(head(7)+"garbage")) },
		"large bodies":                  func(l *loaded) { l.open(200, large) },
		"slow, large and garbage connections together": func(l *loaded) {
			var group sync.WaitGroup
			group.Go(func() { l.open(1000, []byte(head(7_000_000)+"{")) })
			group.Go(func() { l.open(40, large) })
			group.Go(func() { l.open(200, []byte(head(7)+"garbage")) })
			group.Wait()
		},
		"forged reviews that are kept open": func(l *loaded) {
			review, err := json.Marshal(admissionv1.AdmissionReview{Request: update(trigger)})
			require.NoError(l, err)
			l.open(1500, append([]byte(head(len(review))), review...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLoaded(t)
			var group sync.WaitGroup
			group.Go(func() { attack(l) })
			for range 20 {
				l.quarantine()
			}
			group.Wait()
			for range 20 {
				l.quarantine()
			}
			resident := l.stop()
			t.Logf("%d MiB", resident>>20)
			require.Less(t, resident, int64(maxResident))
		})
	}
}
