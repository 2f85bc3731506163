package connections

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestAHandshakeWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(4)
		taken := make([]turn, cap(all))
		for i := range taken {
			taken[i].handshaking = true
			taken[i].take(all)
		}
		next, began := turn{handshaking: true}, false
		go func() {
			next.take(all)
			began = true
		}()
		synctest.Wait()
		require.False(t, began)
		taken[0].end(all)
		synctest.Wait()
		require.True(t, began)
	})
}

func TestHandshakesLeaveHalfOfTheCPUsToReviews(t *testing.T) {
	for cpus, most := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 8: 4} {
		require.Equal(t, most, cap(newTurns(cpus)), "%d CPUs", cpus)
	}
}

func TestAHandshakeHasNoTurnWhileItWaitsForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Listener{turns: newTurns(4)}
		server, client := net.Pipe()
		defer server.Close()
		defer client.Close()
		c := &Conn{listener: l, turn: turn{handshaking: true}}
		c.turn.take(l.turns)
		require.Len(t, l.turns, 1)
		go func() { _, _ = (&observed{Conn: server, conn: c}).Read(make([]byte, 1)) }()
		synctest.Wait()
		require.Empty(t, l.turns)
		_, err := client.Write([]byte{1})
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, l.turns, 1)
	})
}

func TestAfterTheHandshakeAConnectionHasNoTurn(t *testing.T) {
	s := serve(t, generous)
	s.complete(s.dial())
	require.Empty(t, s.turns)
}
