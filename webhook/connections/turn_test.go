package connections

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// queue records in which order hosts get the only turn.
type queue struct {
	*testing.T
	*turns
	order []string
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	q := &queue{T: t, turns: newTurns(1)}
	require.NoError(t, q.take(t.Context(), &host{}))
	return q
}

func (t *turns) left() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.free
}

// wait has a connection of a host wait for its turn.
func (q *queue) wait(ctx context.Context, h *host) {
	q.Helper()
	go func() {
		if q.take(ctx, h) == nil {
			q.order = append(q.order, h.name)
		}
	}()
	synctest.Wait()
}

// next ends the turn.
func (q *queue) next() {
	q.Helper()
	q.end()
	synctest.Wait()
}

func TestHostsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		apiServer, untrusted := &host{name: "API server"}, &host{name: "untrusted"}
		for _, h := range []*host{untrusted, untrusted, untrusted, apiServer, apiServer} {
			q.wait(t.Context(), h)
		}
		require.Empty(t, q.order)
		for range 5 {
			q.next()
		}
		require.Equal(t, []string{"untrusted", "API server", "untrusted", "API server", "untrusted"}, q.order)
		q.next()
		require.Equal(t, 1, q.left())
	})
}

func TestAClosedConnectionGetsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		left, stays := &host{name: "left"}, &host{name: "stays"}
		ctx, cancel := context.WithCancel(t.Context())
		q.wait(ctx, left)
		q.wait(ctx, stays)
		q.wait(t.Context(), stays)
		cancel()
		synctest.Wait()
		require.Equal(t, []*host{stays}, q.hosts)
		require.Len(t, stays.waiting, 1)
		q.next()
		require.Equal(t, []string{"stays"}, q.order)
		q.next()
		require.Equal(t, 1, q.left())
	})
}

func TestATurnThatComesTooLateIsPassedOn(t *testing.T) {
	q := newTurns(1)
	require.NoError(t, q.take(t.Context(), &host{}))
	q.leave(&host{}, make(chan struct{})) // It was given the turn, and has closed.
	require.Equal(t, 1, q.left())
}

func TestHandshakesLeaveHalfOfTheCPUsToReviews(t *testing.T) {
	for cpus, most := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 8: 4} {
		require.Equal(t, most, newTurns(cpus).left(), "%d CPUs", cpus)
	}
}

func TestAHandshakeHasNoTurnWhileItWaitsForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Listener{turns: newTurns(1)}
		server, client := net.Pipe()
		defer server.Close()
		defer client.Close()
		c := &Conn{listener: l, host: &host{}, turn: turn{handshake: t.Context()}}
		require.NoError(t, c.takeTurn())
		require.Zero(t, l.turns.left())
		go func() { _, _ = (&observed{Conn: server, conn: c}).Read(make([]byte, 1)) }()
		synctest.Wait()
		require.Equal(t, 1, l.turns.left())
		_, err := client.Write([]byte{1})
		require.NoError(t, err)
		synctest.Wait()
		require.Zero(t, l.turns.left())
	})
}

func TestAfterTheHandshakeAConnectionHasNoTurn(t *testing.T) {
	s := serve(t, generous)
	all := s.turns.left()
	s.complete(s.dial())
	require.Equal(t, all, s.turns.left())
}
