package connections

import (
	"context"
	"crypto/tls"
	"slices"
	"sync"
)

// turns bound the handshakes that compute at a time. A handshake takes most of the CPU of a
// connection, and hundreds at a time would delay every review on other connections. Hosts take
// turns in rotation, so a host with many connections does not delay those of another.
type turns struct {
	mu   sync.Mutex
	free int
	// hosts are those with connections that wait, the next one first. They are not as many
	// as connections.
	hosts []*host
}

// newTurns leaves half of the CPUs to reviews. One turn is enough for a machine with one or
// two CPUs: a handshake computes for less than a millisecond, and has no turn while it waits
// for its peer.
func newTurns(cpus int) *turns { return &turns{free: max(1, cpus/2)} }

// take waits for a turn of a host. It returns an error if the context ends before.
func (t *turns) take(ctx context.Context, h *host) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	if len(h.waiting) == 0 {
		t.hosts = append(t.hosts, h)
	}
	h.waiting = append(h.waiting, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		t.leave(h, mine)
		return ctx.Err()
	}
}

// leave gives up a place among those that wait, or the turn.
func (t *turns) leave(h *host, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	place := slices.Index(h.waiting, mine)
	if place < 0 {
		t.pass()
		return
	}
	h.waiting = slices.Delete(h.waiting, place, place+1)
	if len(h.waiting) == 0 {
		t.hosts = slices.DeleteFunc(t.hosts, func(other *host) bool { return other == h })
	}
}

func (t *turns) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass()
}

// pass gives a turn to the next that waits. The caller must hold the mutex.
func (t *turns) pass() {
	if len(t.hosts) == 0 {
		t.free++
		return
	}
	next := t.hosts[0]
	t.hosts = t.hosts[1:]
	close(next.waiting[0])
	next.waiting = next.waiting[1:]
	if len(next.waiting) > 0 {
		t.hosts = append(t.hosts, next)
	}
}

// turn is that of one connection. Only the goroutine that makes the handshake uses it.
type turn struct {
	// handshake is the context of the handshake, or nil when there is none.
	handshake context.Context
	taken     bool
}

func (c *Conn) takeTurn() error {
	if c.turn.handshake == nil {
		return nil
	}
	c.queued.Store(true)
	defer c.queued.Store(false)
	err := c.listener.turns.take(c.turn.handshake, c.host)
	c.turn.taken = err == nil
	return err
}

func (c *Conn) endTurn() {
	if c.turn.taken {
		c.listener.turns.end()
		c.turn.taken = false
	}
}

// handshake makes the handshake of a TLS connection. It has no turn while it waits for the
// peer: see [observed.Read].
func (c *Conn) handshake(ctx context.Context, limits Limits) error {
	secured, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Handshake)
	defer cancel()
	c.turn.handshake = ctx
	err := secured.HandshakeContext(ctx)
	c.turn.handshake = nil
	c.endTurn()
	return err
}
