package connections

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// state says what a connection is doing.
type state int

const (
	// pending has not completed a review yet.
	pending state = iota
	// busy has a review under way: one that was received as a whole or, once the
	// connection has completed a review, one that is being received.
	busy
	// idle has completed a review, and waits for the next.
	idle
)

// Conn is a connection of a [Listener].
type Conn struct {
	// Conn is a [tls.Conn] on the accepted connection, or that itself.
	net.Conn
	accepted net.Conn
	listener *Listener
	host     *host
	// ctx ends when the connection is closed.
	ctx   context.Context
	ended context.CancelFunc
	// first is the first byte of the first request, until it is read.
	first []byte
	turn  turn

	// arrived is when something last arrived, in nanoseconds since the listener began.
	arrived atomic.Int64
	// queued reports whether it waits for its turn in the handshake.
	queued atomic.Bool

	// These are guarded by the listener's mutex. completed reports whether a review was
	// completed.
	state     state
	completed bool
}

func newConn(l *Listener, raw net.Conn) *Conn {
	c := &Conn{accepted: raw, listener: l}
	c.ctx, c.ended = context.WithCancel(l.ctx)
	c.arrived.Store(int64(time.Since(l.began)))
	c.Conn = &observed{Conn: raw, conn: c}
	if l.config != nil {
		c.Conn = tls.Server(c.Conn, l.config)
	}
	return c
}

// observed records when something arrives. During a handshake, it ends the turn while it waits
// for the peer, which may take its time.
type observed struct {
	net.Conn
	conn *Conn
}

// Read implements [net.Conn].
func (o *observed) Read(p []byte) (int, error) {
	o.conn.endTurn()
	n, err := o.Conn.Read(p)
	if n > 0 {
		o.conn.arrived.Store(int64(time.Since(o.conn.listener.began)))
	}
	if err == nil {
		err = o.conn.takeTurn()
	}
	return n, err
}

// quieter reports whether to close the connection rather than another one of its host. One that
// waits for its turn is not silent: without this, the next in the queue would be closed first.
func (c *Conn) quieter(than *Conn) bool {
	if queued := c.queued.Load(); queued != than.queued.Load() {
		return !queued
	}
	return c.arrived.Load() < than.arrived.Load()
}

func (c *Conn) prepare(ctx context.Context, limits Limits) error {
	if err := c.handshake(ctx, limits); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(limits.FirstByte)); err != nil {
		return err
	}
	first := make([]byte, 1)
	if _, err := c.Conn.Read(first); err != nil {
		return err
	}
	c.first = first
	return c.SetReadDeadline(time.Time{})
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = nil
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close implements [net.Conn].
func (c *Conn) Close() error {
	c.ended()
	c.listener.remove(c)
	return c.Conn.Close()
}

// abort closes the connection without a TLS alert, which would block if the peer does not
// read.
func (c *Conn) abort() {
	c.ended()
	c.listener.remove(c)
	_ = c.accepted.Close()
}

type contextKey struct{}

// Context is for the ConnContext of an [http.Server].
func Context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// State is for the ConnState of an [http.Server].
func State(c net.Conn, s http.ConnState) {
	conn, ok := c.(*Conn)
	if !ok {
		return
	}
	conn.listener.mu.Lock()
	defer conn.listener.mu.Unlock()
	if !conn.completed {
		return
	}
	switch s {
	case http.StateActive:
		conn.state = busy
	case http.StateIdle:
		conn.state = idle
	default: // The connection ends.
	}
}

// Received reports that the whole review of a request was received.
func Received(ctx context.Context) {
	if c, ok := ctx.Value(contextKey{}).(*Conn); ok {
		c.listener.mu.Lock()
		defer c.listener.mu.Unlock()
		c.state = busy
	}
}

// Completed reports that a request was a well-formed review, which is being answered.
func Completed(ctx context.Context) {
	if c, ok := ctx.Value(contextKey{}).(*Conn); ok {
		c.listener.mu.Lock()
		defer c.listener.mu.Unlock()
		c.completed = true
	}
}
