package services

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// probeTimeout bounds a readiness probe; it is the kubelet's default.
const probeTimeout = time.Second

// errNone is returned for a connection while no backend is ready.
var errNone = errors.New("no backend is ready")

// Backend is a replica behind a Service.
type Backend struct {
	// Address is where it listens, host:port.
	Address string

	// Ready is the readiness probe.
	Ready func(ctx context.Context) bool

	// Period is the time between two probes. Lag is the time until the result reaches
	// the nodes through the kubelet, the EndpointSlice and kube-proxy.
	Period, Lag time.Duration
}

// Service balances connections over its backends. It is safe for concurrent use.
type Service struct {
	ctx context.Context

	mu       sync.Mutex
	backends []*member
	next     int
}

// member is a backend as the nodes see it.
type member struct {
	Backend
	ready bool
}

// Add adds a backend, which gets connections once it is ready. remove takes it out
// immediately, as deleting its pod does.
func (s *Service) Add(backend Backend) (remove func()) {
	m := &member{Backend: backend}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	s.backends = append(s.backends, m)
	s.mu.Unlock()
	go s.probe(ctx, m)
	return func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.backends = slices.DeleteFunc(s.backends, func(other *member) bool { return other == m })
	}
}

// Serving returns the addresses of the backends that get connections.
func (s *Service) Serving() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addresses []string
	for _, m := range s.backends {
		if m.ready {
			addresses = append(addresses, m.Address)
		}
	}
	return addresses
}

// pick returns the address for the next connection, round-robin.
func (s *Service) pick() (string, error) {
	serving := s.Serving()
	if len(serving) == 0 {
		return "", errNone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return serving[s.next%len(serving)], nil
}

// probe probes a backend until the context is done.
func (s *Service) probe(ctx context.Context, m *member) {
	ticker := time.NewTicker(m.Period)
	defer ticker.Stop()
	known := false
	for {
		asking, cancel := context.WithTimeout(ctx, probeTimeout)
		ready := m.Ready(asking)
		cancel()
		if ready != known {
			known = ready
			time.AfterFunc(m.Lag, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				m.ready = ready
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
