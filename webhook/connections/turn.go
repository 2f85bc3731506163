package connections

import (
	"context"
	"crypto/tls"
)

// turns bound the handshakes that compute at a time. A handshake takes most of the CPU of a
// connection, and hundreds at a time would delay every review on other connections.
type turns chan struct{}

// newTurns leaves half of the CPUs to reviews. One turn is enough for a machine with one or
// two CPUs: a handshake computes for less than a millisecond, and has no turn while it waits
// for its peer.
func newTurns(cpus int) turns { return make(turns, max(1, cpus/2)) }

// turn is that of one connection. Only the goroutine that makes the handshake uses it.
type turn struct {
	handshaking, taken bool
}

func (t *turn) take(of turns) {
	if t.handshaking {
		of <- struct{}{}
		t.taken = true
	}
}

func (t *turn) end(of turns) {
	if t.taken {
		<-of
		t.taken = false
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
	c.turn.handshaking = true
	err := secured.HandshakeContext(ctx)
	c.turn.handshaking = false
	c.turn.end(c.listener.turns)
	return err
}
