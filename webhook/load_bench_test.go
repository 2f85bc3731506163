package webhook

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
)

// handshakers is how many untrusted clients make TLS handshakes all the time.
const handshakers = 300

// A review arrives on an established connection while untrusted clients make handshakes.
func BenchmarkReviewDuringHandshakes(b *testing.B) {
	l := startLoaded(b)
	review, err := json.Marshal(admissionv1.AdmissionReview{Request: update(trigger)})
	require.NoError(b, err)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.trusted, MinVersion: tls.VersionTLS13}}}
	send := func() {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://"+l.address+Path, bytes.NewReader(review))
		require.NoError(b, err)
		response, err := client.Do(request)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(b, err)
		require.NoError(b, response.Body.Close())
	}
	send() // Opens the connection.
	var stop atomic.Bool
	var untrusted sync.WaitGroup
	for range handshakers {
		untrusted.Go(func() {
			for !stop.Load() {
				if c := l.dial(); c != nil {
					_ = c.Close()
				}
			}
		})
	}
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		send()
		took = append(took, time.Since(start))
	}
	stop.Store(true)
	untrusted.Wait()
	client.CloseIdleConnections()
	l.stop()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
}
