package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"isolate.example.io/webhook"
)

const (
	// largeReview is the largest body that the webhook reads.
	largeReview = 7 << 20

	// reopenAfter is how long a stranger waits before it replaces a connection that was
	// closed. Without a pause, handshakes would take all CPU of a machine that strangers,
	// webhook and API server share.
	reopenAfter = 10 * time.Second

	// trickle is the pause between two bytes of a slow body.
	trickle = time.Second
)

// strangers hold connections to the webhook's port.
type strangers struct {
	address string
	opened  atomic.Int64
	open    atomic.Int64
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// startStrangers holds so many connections of each kind until stop is called.
func (b *bench) startStrangers(port, slow, large, garbage int) *strangers {
	s := &strangers{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	ctx, cancel := context.WithCancel(b.ctx)
	s.cancel = cancel
	body := bytes.Repeat([]byte{' '}, largeReview)
	for _, kind := range []struct {
		n    int
		talk func(context.Context, net.Conn)
	}{
		{slow, talkSlowly},
		{large, func(_ context.Context, c net.Conn) { talk(c, append([]byte(head(largeReview)), body...)) }},
		{garbage, func(_ context.Context, c net.Conn) { talk(c, []byte(head(7)+"garbage")) }},
	} {
		for range kind.n {
			s.running.Go(func() { s.hold(ctx, kind.talk) })
		}
	}
	return s
}

func (s *strangers) stop() {
	s.cancel()
	s.running.Wait()
}

// hold keeps a connection, and replaces it when it is closed.
func (s *strangers) hold(ctx context.Context, talk func(context.Context, net.Conn)) {
	pauseFor(ctx, rand.N(reopenAfter)) // Not all at once.
	for ctx.Err() == nil {
		s.connect(ctx, talk)
		pauseFor(ctx, reopenAfter)
	}
}

func (s *strangers) connect(ctx context.Context, talk func(context.Context, net.Conn)) {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
	c, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return
	}
	defer c.Close()
	s.opened.Add(1)
	s.open.Add(1)
	defer s.open.Add(-1)
	defer context.AfterFunc(ctx, func() { c.Close() })()
	talk(ctx, c)
}

// talk sends everything, and reads until the webhook closes the connection.
func talk(c net.Conn, request []byte) {
	if _, err := c.Write(request); err == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

// talkSlowly sends a body byte by byte.
func talkSlowly(ctx context.Context, c net.Conn) {
	_, err := c.Write([]byte(head(largeReview) + "{"))
	for err == nil && ctx.Err() == nil {
		pauseFor(ctx, trickle)
		_, err = c.Write([]byte{' '})
	}
}

func head(length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: webhook\r\nContent-Length: %d\r\n\r\n", webhook.Path, length)
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
