package connections

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"
)

// Limits bound the connections of a listener.
type Limits struct {
	// Total bounds all connections, and Pending those that have not completed a review.
	Total, Pending int

	// Handshake bounds a TLS handshake, and FirstByte the time from then to the first
	// byte of a request.
	Handshake, FirstByte time.Duration
}

// Listener accepts connections, and hands each over when the first byte of a
// request has arrived.
type Listener struct {
	tcp    net.Listener
	config *tls.Config
	limits Limits

	// opened and closed are called for each connection.
	opened, closed func()

	turns *turns
	began time.Time
	ready chan *Conn
	ctx   context.Context
	stop  context.CancelFunc

	mu    sync.Mutex
	conns map[*Conn]struct{}
	hosts map[string]*host
	// shed counts connections closed beyond a limit.
	shed int
}

// Listen listens at the address, host:port. A nil config is for plain connections. The
// listener calls opened and closed for each connection.
func Listen(address string, config *tls.Config, limits Limits, opened, closed func()) (*Listener, error) {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", address, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Listener{
		tcp: tcp, config: config, limits: limits, opened: opened, closed: closed,
		turns: newTurns(runtime.GOMAXPROCS(0)), began: time.Now(), ready: make(chan *Conn), ctx: ctx, stop: stop, conns: map[*Conn]struct{}{}, hosts: map[string]*host{},
	}
	go l.accept()
	return l, nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.tcp.Addr() }

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]. It closes the connections that were not handed
// over.
func (l *Listener) Close() error {
	l.stop()
	return l.tcp.Close()
}

// Shed returns how many connections were closed beyond a limit.
func (l *Listener) Shed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shed
}

// acceptBackoff is the wait after a failed accept: file descriptors may have run out.
const acceptBackoff = 10 * time.Millisecond

func (l *Listener) accept() {
	for l.ctx.Err() == nil {
		raw, err := l.tcp.Accept()
		if err != nil {
			select {
			case <-time.After(acceptBackoff):
			case <-l.ctx.Done():
			}
			continue
		}
		c := newConn(l, raw)
		if victim := l.add(c, hostName(raw)); victim != nil {
			victim.abort()
		}
		go l.prepare(c)
	}
}

// prepare completes the handshake, waits for the first byte, and hands the connection over
// to Accept.
func (l *Listener) prepare(c *Conn) {
	stop := context.AfterFunc(l.ctx, c.abort)
	if err := c.prepare(c.ctx, l.limits); err != nil {
		stop()
		c.abort()
		return
	}
	select {
	case l.ready <- c:
		stop()
	case <-l.ctx.Done():
	}
}

// host is a remote host with connections.
type host struct {
	name  string
	conns int
	// counted is for one search for a victim.
	counted int

	// waiting are its connections that wait for a turn, the next one first. It is guarded by
	// the mutex of the turns.
	waiting []chan struct{}
}

func hostName(c net.Conn) string {
	name, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return name
}

// add registers a connection of a host. It returns the one to close instead, if any.
func (l *Listener) add(c *Conn, name string) *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.host = l.hosts[name]
	if c.host == nil {
		c.host = &host{name: name}
		l.hosts[name] = c.host
	}
	c.host.conns++
	l.conns[c] = struct{}{}
	l.opened()
	victim := l.victim(l.limits.Pending, func(c *Conn) bool { return c.state == pending })
	if victim == nil {
		victim = l.victim(l.limits.Total, func(*Conn) bool { return true })
	}
	if victim != nil {
		l.shed++
	}
	return victim
}

// victim returns the connection to close if more than limit connections count: of the
// remote host that has most of them, the one from which nothing has arrived for the
// longest time. A connection with a review under way is never closed.
func (l *Listener) victim(limit int, counts func(*Conn) bool) *Conn {
	if len(l.conns) <= limit {
		return nil
	}
	for _, h := range l.hosts {
		h.counted = 0
	}
	total := 0
	for c := range l.conns {
		if counts(c) {
			c.host.counted++
			total++
		}
	}
	if total <= limit {
		return nil
	}
	var victim *Conn
	for c := range l.conns {
		if !counts(c) || c.state == busy {
			continue
		}
		if victim == nil || c.host.counted > victim.host.counted ||
			c.host.counted == victim.host.counted && c.quieter(victim) {
			victim = c
		}
	}
	return victim
}

func (l *Listener) remove(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.conns[c]; !ok {
		return
	}
	delete(l.conns, c)
	if c.host.conns--; c.host.conns == 0 {
		delete(l.hosts, c.host.name)
	}
	l.closed()
}
