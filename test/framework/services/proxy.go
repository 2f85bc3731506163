package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// dialTimeout bounds a connection attempt; on loopback it fails immediately.
const dialTimeout = 5 * time.Second

// Proxy forwards the API server's connections to Services.
type Proxy struct {
	dir      string
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	group    sync.WaitGroup

	mu       sync.Mutex
	services map[string]*Service
}

// Listen returns a proxy that accepts connections until Close. It listens on a
// Unix socket because kube-apiserver panics on a TCP address without TLS, and in a
// new temporary folder because the path of a socket must be short.
func Listen() (*Proxy, error) {
	dir, err := os.MkdirTemp("", "isolate-services-")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for connections to Services: %w", err), os.RemoveAll(dir))
	}
	p := &Proxy{dir: dir, listener: listener, services: map[string]*Service{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.group.Go(p.serve)
	return p, nil
}

// Socket returns the path of the socket on which the proxy serves HTTP CONNECT.
func (p *Proxy) Socket() string { return p.listener.Addr().String() }

// Close stops the proxy and closes every connection through it.
func (p *Proxy) Close() {
	p.cancel()
	p.listener.Close()
	p.group.Wait()
	os.RemoveAll(p.dir)
}

// Service returns the Service with this address, host:port, and creates it if needed.
func (p *Proxy) Service(address string) *Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.services[address] == nil {
		p.services[address] = &Service{ctx: p.ctx}
	}
	return p.services[address]
}

func (p *Proxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.group.Go(func() { p.connect(conn) })
		}
	}
}

// connect serves one connection: the CONNECT request, then bytes in both directions.
func (p *Proxy) connect(client net.Conn) {
	defer client.Close()
	stop := context.AfterFunc(p.ctx, func() { client.Close() })
	defer stop()
	reader := bufio.NewReader(client)
	request, err := http.ReadRequest(reader)
	if err != nil || request.Method != http.MethodConnect || reader.Buffered() > 0 {
		_, _ = io.WriteString(client, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	backend, err := p.dial(request.Host)
	if err != nil {
		// The API server reports only the reason phrase.
		fmt.Fprintf(client, "HTTP/1.1 502 %s\r\n\r\n", err)
		return
	}
	defer backend.Close()
	stopBackend := context.AfterFunc(p.ctx, func() { backend.Close() })
	defer stopBackend()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	Exchange(client, backend)
}

// dial connects to a backend of the Service at the address, or to the address itself
// if it belongs to no Service.
func (p *Proxy) dial(address string) (net.Conn, error) {
	p.mu.Lock()
	service := p.services[address]
	p.mu.Unlock()
	if service != nil {
		var err error
		if address, err = service.pick(); err != nil {
			return nil, err
		}
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return dialer.DialContext(p.ctx, "tcp", address)
}

// Exchange copies in both directions until both sides have closed.
func Exchange(a, b net.Conn) {
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		group.Go(func() {
			from, to := way[0], way[1]
			if _, err := io.Copy(to, from); err != nil {
				// One side reset the connection, so reset the other.
				from.Close()
				to.Close()
				return
			}
			if half, ok := to.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	group.Wait()
}
