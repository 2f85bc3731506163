package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/framework/installation"
)

// lie has clients that are not the API server send reviews until it ends: forged ones about
// real pods, malformed ones, and large ones; and others that open connections and send no
// request.
func (s *scenario) lie() (end func()) {
	ctx, cancel := context.WithCancel(s.Context())
	var group sync.WaitGroup
	for _, p := range s.replicas("webhook") {
		reviewer, err := s.reviewer(p)
		if err != nil {
			continue // The API server does not answer, so nobody learns the path.
		}
		group.Go(func() { s.forge(ctx, reviewer) })
		group.Go(func() { s.stall(ctx, p) })
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// forge sends reviews that no API server has sent.
func (s *scenario) forge(ctx context.Context, r reviewer) {
	var pods []corev1.Pod
	if list, err := s.client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{}); err == nil {
		pods = list.Items
	}
	bodies := [][]byte{nil, []byte("{"), bytes.Repeat([]byte("["), 10_000), bytes.Repeat([]byte("x"), 3<<20)}
	for i := range pods {
		if _, review, err := forge(&pods[i], false); err == nil {
			bodies = append(bodies, review)
		}
	}
	for i := 0; ctx.Err() == nil; i++ {
		_, _, _ = r.post(ctx, bodies[i%len(bodies)])
		s.counts.forged.Add(1)
		pause(ctx, 10*time.Millisecond)
	}
}

// stall opens connections and sends the beginning of a request.
func (s *scenario) stall(ctx context.Context, p *installation.Program) {
	const connections = 50
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	for range connections {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: webhook\r\nContent-Length: 1000000\r\n")
	}
	<-ctx.Done()
}
