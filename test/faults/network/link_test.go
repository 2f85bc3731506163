package network

import (
	"bufio"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// echo starts a server that sends everything back, and returns a link to it.
func echo(t *testing.T) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group errgroup.Group
	group.Go(func() error {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return nil //nolint:nilerr // The test has ended.
			}
			group.Go(func() error {
				defer conn.Close()
				_, err := io.Copy(conn, conn)
				return err
			})
		}
	})
	link, err := Listen(listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() {
		listener.Close()
		link.Close()
		_ = group.Wait() // Connections that were reset.
	})
	return link
}

// client is one side of a connection through a link.
type client struct {
	*testing.T
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, link *Link) *client {
	t.Helper()
	conn, err := net.Dial("tcp", link.Address())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(line string) {
	c.Helper()
	_, err := io.WriteString(c.Conn, line+"\n")
	require.NoError(c, err)
}

func (c *client) receives(line string) {
	c.Helper()
	got, err := c.lines.ReadString('\n')
	require.NoError(c, err)
	require.Equal(c, line+"\n", got)
}

// silent requires that nothing arrives for a short time.
func (c *client) silent() {
	c.Helper()
	require.NoError(c, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := c.lines.ReadByte()
	var timeout net.Error
	require.ErrorAs(c, err, &timeout)
	require.True(c, timeout.Timeout())
	require.NoError(c, c.SetReadDeadline(time.Time{}))
}

func (c *client) isReset() {
	c.Helper()
	_, err := c.lines.ReadByte()
	require.ErrorIs(c, err, syscall.ECONNRESET)
}

func TestAHealthyLinkDeliversEverything(t *testing.T) {
	c := dial(t, echo(t))
	c.send("one")
	c.receives("one")
	require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
	rest, err := io.ReadAll(c.lines)
	require.NoError(t, err)
	require.Empty(t, rest)
}

func TestABlackHoleStopsAndContinues(t *testing.T) {
	link := echo(t)
	before := dial(t, link)
	before.send("zero")
	before.receives("zero")
	link.Set(Fault{BlackHole: true})
	before.send("one")
	before.silent()
	during := dial(t, link)
	during.send("two")
	during.silent()
	link.Heal()
	before.receives("one")
	during.receives("two")
}

func TestACutResetsConnections(t *testing.T) {
	link := echo(t)
	before := dial(t, link)
	before.send("one")
	before.receives("one")
	link.Set(Fault{Cut: true})
	before.isReset()
	during, err := net.Dial("tcp", link.Address())
	if err == nil { // The reset may arrive before net.Dial returns.
		_, err = during.Read(make([]byte, 1))
		during.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	link.Heal()
	after := dial(t, link)
	after.send("two")
	after.receives("two")
}

func TestADelayIsAdded(t *testing.T) {
	const delay = 50 * time.Millisecond
	link := echo(t)
	link.Set(Fault{Delay: delay})
	c := dial(t, link)
	start := time.Now()
	c.send("one")
	c.receives("one")
	require.GreaterOrEqual(t, time.Since(start), 2*delay, "each direction is delayed")
}

func TestBandwidthIsLimited(t *testing.T) {
	link := echo(t)
	link.Set(Fault{BytesPerSecond: 100})
	c := dial(t, link)
	start := time.Now()
	for _, line := range []string{"123456789", "abcdefghi"} {
		c.send(line)
		c.receives(line)
	}
	require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond, "ten bytes before the last line")
}

func TestConnectionsAreResetAfterBytes(t *testing.T) {
	link := echo(t)
	link.Set(Fault{ResetAfter: 8}) // The first line, and its echo.
	c := dial(t, link)
	c.send("one")
	c.isResetWithin(8)
}

// isResetWithin requires that the connection is reset before more than n bytes arrive.
func (c *client) isResetWithin(n int64) {
	c.Helper()
	arrived, err := io.Copy(io.Discard, c.lines)
	require.ErrorIs(c, err, syscall.ECONNRESET)
	require.LessOrEqual(c, arrived, n)
}
