package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/webhook"
)

const (
	// largeReview is the largest body that the webhook reads.
	largeReview = 7 << 20

	// reopenAfter is how long an untrusted client waits before it replaces a connection that was
	// closed. Without a pause, handshakes would take all CPU of a machine that untrusted clients,
	// webhook and API server share.
	reopenAfter = 10 * time.Second

	// trickle is the pause between two bytes of a slow body.
	trickle = time.Second
)

// untrusted are clients that hold connections to the webhook's port. They are a process of their own: the
// bench's forwards the API server's connections and measures.
type untrusted struct {
	from    net.Addr
	address string
	opened  atomic.Int64
}

// Loopback addresses from which untrusted clients connect. The webhook takes them for hosts.
const (
	apiServerHost = "127.0.0.1"
	anotherHost   = "127.0.0.2"
)

// crowd is how many untrusted clients of each kind there are.
type crowd struct{ slow, large, garbage int }

// startUntrusted makes a crowd on a host hold connections to a port until the process is
// stopped. On a cluster, untrusted clients have CPUs of their own. Here they have a low priority, so
// that they take less from those whom they attack.
func (b *bench) startUntrusted(c *cluster, port int, who crowd, host string) (*controlplane.Process, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := controlplane.StartProcess(c.dir, "untrusted", "nice", "-n19", executable, "untrusted", host,
		net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), strconv.Itoa(who.slow), strconv.Itoa(who.large), strconv.Itoa(who.garbage))
	if err == nil {
		b.cleanups = append(b.cleanups, p.Kill)
	}
	return p, err
}

// openedBy returns how many connections stopped untrusted clients had opened.
func openedBy(p *controlplane.Process) (float64, error) {
	data, err := os.ReadFile(p.Log)
	if err != nil {
		return 0, err
	}
	lines := strings.Fields(string(data)) // One for each process so far.
	return strconv.ParseFloat(lines[len(lines)-1], 64)
}

// untrustedMain holds connections until SIGTERM, and prints how many it has opened. Its
// arguments are the IP address to connect from, the address to connect to, and the numbers of
// slow, large and garbage connections.
func untrustedMain(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("untrusted clients take two addresses and three numbers, not %q", args)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s := &untrusted{from: &net.TCPAddr{IP: net.ParseIP(args[0])}, address: args[1]}
	large := append([]byte(head(largeReview)), bytes.Repeat([]byte{' '}, largeReview)...)
	var running sync.WaitGroup
	for i, say := range []func(context.Context, net.Conn){
		talkSlowly,
		func(_ context.Context, c net.Conn) { talk(c, large) },
		func(_ context.Context, c net.Conn) { talk(c, []byte(head(7)+"garbage")) },
	} {
		n, err := strconv.Atoi(args[i+2])
		if err != nil {
			return err
		}
		for range n {
			running.Go(func() { s.hold(ctx, say) })
		}
	}
	running.Wait()
	fmt.Println(s.opened.Load())
	return nil
}

// hold keeps a connection, and replaces it when it is closed.
func (s *untrusted) hold(ctx context.Context, talk func(context.Context, net.Conn)) {
	pauseFor(ctx, rand.N(reopenAfter)) // Not all at once.
	for ctx.Err() == nil {
		s.connect(ctx, talk)
		pauseFor(ctx, reopenAfter)
	}
}

func (s *untrusted) connect(ctx context.Context, talk func(context.Context, net.Conn)) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: s.from}, Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
	c, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return
	}
	defer c.Close()
	s.opened.Add(1)
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
