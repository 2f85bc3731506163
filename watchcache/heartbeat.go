package watchcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// MaxAge is how old the state may be that the API server's watches report. It is also
	// how long a silent connection stays open.
	MaxAge = 5 * time.Second

	// heartbeatPeriod is the time between two reads, and heartbeatTimeout bounds one. One
	// failed read does no harm.
	heartbeatPeriod  = 2 * time.Second
	heartbeatTimeout = 2 * time.Second

	// settlePeriod is the wait after a read has succeeded, for what the watches delivered
	// before its response to reach the mirrors.
	settlePeriod = 100 * time.Millisecond
)

var (
	errNotConfirmed = errors.New("not read yet")
	errNoAnswer     = errors.New("no answer yet")
)

// Heartbeat reports whether the API server is up to date.
//
// An API server that has lost etcd, or that lags behind the other ones, keeps its watches
// open and silent, and answers pings. So a heartbeat reads the most recent state every two
// seconds: such a read goes to etcd, or waits until the API server's own watch cache has caught up
// with it (k8s.io/apiserver/pkg/storage/cacher). What the watches have reported by then was current
// when the read was sent.
//
// The read must use the connection of the watches: another one may lead to another API
// server.
type Heartbeat struct {
	read  func(context.Context) error
	clock clock.WithTicker

	mu sync.Mutex
	// current is when the last read that succeeded was sent.
	current time.Time
	// err is why the last read failed.
	err error
	// changed is closed and replaced after each read.
	changed chan struct{}
}

// NewHeartbeat returns a heartbeat that reads the most recent state with this function.
func NewHeartbeat(read func(context.Context) error) *Heartbeat {
	return newHeartbeat(read, clock.RealClock{})
}

func newHeartbeat(read func(context.Context) error, clock clock.WithTicker) *Heartbeat {
	return &Heartbeat{read: read, clock: clock, err: errNotConfirmed, changed: make(chan struct{})}
}

// Run reads until the context ends.
func (h *Heartbeat) Run(ctx context.Context) {
	ticker := h.clock.NewTicker(heartbeatPeriod)
	defer ticker.Stop()
	for {
		h.beat(ctx)
		select {
		case <-ticker.C():
		case <-ctx.Done():
			return
		}
	}
}

func (h *Heartbeat) beat(ctx context.Context) {
	sent := h.clock.Now()
	reading, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	err := h.read(reading)
	cancel()
	if err == nil {
		select {
		case <-h.clock.After(settlePeriod):
		case <-ctx.Done():
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err = err; err == nil {
		h.current = sent
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// Err returns why the API server may be behind by more than [MaxAge], or nil.
func (h *Heartbeat) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.behind()
}

func (h *Heartbeat) behind() error {
	if h.clock.Since(h.current) <= MaxAge {
		return nil
	}
	return fmt.Errorf("reading the most recent state from the API server: %w", cmp.Or(h.err, errNoAnswer))
}

// Ready returns Err: short failures are no error anyway.
func (h *Heartbeat) Ready() error { return h.Err() }

// Wait waits until the API server is known to be up to date, or the context ends. It
// returns Err.
func (h *Heartbeat) Wait(ctx context.Context) error {
	for {
		h.mu.Lock()
		err, changed := h.behind(), h.changed
		h.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return err
		}
	}
}
