package services

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const address = "10.96.0.7:443"

// backend writes its name to every connection and then echoes.
type backend struct {
	name    string
	address string
	ready   atomic.Bool
	remove  func()
}

func startBackend(t *testing.T, service *Service, name string) *backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	b := &backend{name: name, address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, name)
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	b.ready.Store(true)
	b.remove = service.Add(Backend{
		Address: b.address, Period: time.Millisecond,
		Ready: func(context.Context) bool { return b.ready.Load() },
	})
	return b
}

// connect connects to the Service through the proxy and returns the backend's name.
func connect(t *testing.T, p *Proxy) (conn net.Conn, reader *bufio.Reader, name string) {
	t.Helper()
	conn, err := net.Dial("unix", p.Socket())
	require.NoError(t, err)
	opened := conn
	t.Cleanup(func() { opened.Close() })
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address)
	reader = bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	defer response.Body.Close() // It is empty: the connection follows the header.
	if response.StatusCode != http.StatusOK {
		return nil, nil, response.Status
	}
	return conn, reader, line(t, reader)
}

func line(t *testing.T, reader *bufio.Reader) string {
	t.Helper()
	text, err := reader.ReadString('\n')
	require.NoError(t, err)
	return text[:len(text)-1]
}

func start(t *testing.T) (*Proxy, *Service) {
	t.Helper()
	p, err := Listen()
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, p.Service(address)
}

func waitServing(t *testing.T, service *Service, addresses ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.ElementsMatch(c, addresses, service.Serving()) }, time.Minute, time.Millisecond)
}

func TestConnectionsAreRoundRobin(t *testing.T) {
	p, service := start(t)
	one, two := startBackend(t, service, "one"), startBackend(t, service, "two")
	waitServing(t, service, one.address, two.address)
	count := map[string]int{}
	for range 10 {
		_, _, name := connect(t, p)
		count[name]++
	}
	require.Equal(t, map[string]int{"one": 5, "two": 5}, count)
}

func TestUnreadyBackendKeepsConnectionsAndGetsNoNewOnes(t *testing.T) {
	p, service := start(t)
	one, two := startBackend(t, service, "one"), startBackend(t, service, "two")
	waitServing(t, service, one.address, two.address)
	conn, reader, name := connect(t, p)
	if name == "two" {
		one, two = two, one
	}
	one.ready.Store(false)
	waitServing(t, service, two.address)
	for range 4 {
		_, _, name := connect(t, p)
		require.Equal(t, two.name, name)
	}
	fmt.Fprintln(conn, "still there")
	require.Equal(t, "still there", line(t, reader))
}

func TestNoReadyBackendRefusesConnections(t *testing.T) {
	p, service := start(t)
	_, _, status := connect(t, p)
	require.Equal(t, "502 no backend is ready", status)
	one := startBackend(t, service, "one")
	waitServing(t, service, one.address)
	one.remove()
	_, _, status = connect(t, p)
	require.Equal(t, "502 no backend is ready", status)
}
