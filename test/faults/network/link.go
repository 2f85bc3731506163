package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Fault is what is wrong with a link. The zero value is a healthy link.
type Fault struct {
	// Cut resets every connection, and each new one as soon as it is open.
	Cut bool

	// BlackHole delivers nothing and closes nothing. What is sent meanwhile arrives when
	// the fault ends, as TCP retransmits it. New connections open and stay silent.
	BlackHole bool

	// Delay is how much later everything arrives.
	Delay time.Duration

	// BytesPerSecond limits each direction of each connection, unless it is 0.
	BytesPerSecond int

	// ResetAfter resets each connection after it has delivered so many bytes, unless it is 0.
	ResetAfter int
}

// String describes the fault in a log.
func (f Fault) String() string {
	switch {
	case f.Cut:
		return "cut"
	case f.BlackHole:
		return "a black hole"
	case f.Delay > 0:
		return fmt.Sprintf("delayed by %s", f.Delay)
	case f.BytesPerSecond > 0:
		return fmt.Sprintf("limited to %d bytes a second", f.BytesPerSecond)
	case f.ResetAfter > 0:
		return fmt.Sprintf("reset after every %d bytes", f.ResetAfter)
	}
	return "healthy"
}

// Link is a proxy to one address. It is safe for concurrent use.
type Link struct {
	// Target is where connections go, host:port.
	Target string

	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	group    sync.WaitGroup

	mu          sync.Mutex
	fault       Fault
	changed     chan struct{} // closed and replaced with each fault
	connections map[*connection]struct{}
}

// Listen returns a healthy link to an address, on a free port of the loopback address.
func Listen(target string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for connections to %s: %w", target, err)
	}
	l := &Link{Target: target, listener: listener, changed: make(chan struct{}), connections: map[*connection]struct{}{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.group.Go(l.serve)
	return l, nil
}

// Address is where the link listens, host:port.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Set replaces the fault.
func (l *Link) Set(fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
	close(l.changed)
	l.changed = make(chan struct{})
	for c := range l.connections {
		if fault.Cut {
			c.reset()
		}
		c.delivered.Store(0)
	}
}

// Heal ends the fault.
func (l *Link) Heal() { l.Set(Fault{}) }

// Close closes the link and its connections.
func (l *Link) Close() {
	l.cancel()
	l.listener.Close()
	l.group.Wait()
}

// current returns the fault, and a channel that is closed when it changes.
func (l *Link) current() (Fault, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.changed
}

func (l *Link) serve() {
	for {
		client, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.group.Go(func() { l.connect(client) })
		}
	}
}

// connect forwards one connection until both sides have closed it.
func (l *Link) connect(client net.Conn) {
	c := &connection{link: l, client: client}
	defer c.close()
	l.mu.Lock()
	l.connections[c] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.connections, c)
		l.mu.Unlock()
	}()
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	if !c.wait(ctx, 0) {
		c.reset()
		return
	}
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Target)
	if err != nil || !c.setServer(server) {
		c.reset()
		return
	}
	c.exchange(ctx)
}
