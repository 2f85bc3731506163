package network

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunkSize is the most that is read, delayed and delivered at once.
	chunkSize = 16 << 10

	// chunksInFlight bounds what is read and not yet delivered, like a network's buffers.
	chunksInFlight = 64
)

// connection is one connection through a link.
type connection struct {
	link      *Link
	client    net.Conn
	delivered atomic.Int64 // bytes since the last change of the fault

	mu     sync.Mutex
	server net.Conn
	closed bool
}

// chunk is what one side sent.
type chunk struct {
	data []byte
	due  time.Time
}

// setServer sets the other side, unless the connection is closed.
func (c *connection) setServer(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		server.Close()
		return false
	}
	c.server = server
	return true
}

func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.client.Close()
	if c.server != nil {
		c.server.Close()
	}
}

// reset closes both sides as a firewall does that forgets a connection.
func (c *connection) reset() {
	c.mu.Lock()
	for _, side := range []net.Conn{c.client, c.server} {
		if tcp, ok := side.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
	c.mu.Unlock()
	c.close()
}

// exchange forwards in both directions until both sides have closed.
func (c *connection) exchange(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{c.client, c.server}, {c.server, c.client}} {
		chunks := make(chan chunk, chunksInFlight)
		group.Go(func() { c.read(ctx, way[0], chunks) })
		group.Go(func() {
			if !c.deliver(ctx, way[1], chunks) {
				c.reset()
				cancel() // The reader may be waiting for room.
			}
		})
	}
	group.Wait()
}

func (c *connection) read(ctx context.Context, from net.Conn, chunks chan<- chunk) {
	defer close(chunks)
	for {
		data := make([]byte, chunkSize)
		n, err := from.Read(data)
		fault, _ := c.link.current()
		select {
		case chunks <- chunk{data: data[:n], due: time.Now().Add(fault.Delay)}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// deliver writes the chunks when they are due, then closes that direction. It returns false
// if the connection is to be reset.
func (c *connection) deliver(ctx context.Context, to net.Conn, chunks <-chan chunk) bool {
	for next := range chunks {
		if !c.wait(ctx, time.Until(next.due)) {
			return false
		}
		if _, err := to.Write(next.data); err != nil {
			return false
		}
		if !c.limit(ctx, len(next.data)) {
			return false
		}
	}
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	return true
}

// wait waits for the delay, and for a black hole to end. It returns false if the
// connection is to be reset.
func (c *connection) wait(ctx context.Context, delay time.Duration) bool {
	if delay > 0 {
		pause(ctx, delay)
	}
	for ctx.Err() == nil {
		fault, changed := c.link.current()
		if !fault.BlackHole {
			return !fault.Cut
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return false
}

// limit waits as long as the limit of bytes asks, and returns false if the connection is to
// be reset.
func (c *connection) limit(ctx context.Context, n int) bool {
	fault, _ := c.link.current()
	if fault.BytesPerSecond > 0 {
		pause(ctx, time.Duration(n)*time.Second/time.Duration(fault.BytesPerSecond))
	}
	total := c.delivered.Add(int64(n))
	return fault.ResetAfter == 0 || total < int64(fault.ResetAfter)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
