package sweeper

import (
	"context"
	"sync"
	"time"
)

// precedence has what is told wait for what is done: events take the same API
// server that deletions need, and come as well a moment later.
type precedence struct {
	mu    sync.Mutex
	going int
	idle  chan struct{} // closed when nothing is going on
}

func newPrecedence() *precedence {
	p := &precedence{idle: make(chan struct{})}
	close(p.idle)
	return p
}

// begin notes that something is being done, until end is called.
func (p *precedence) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.going == 0 {
		p.idle = make(chan struct{})
	}
	p.going++
}

func (p *precedence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.going--; p.going == 0 {
		close(p.idle)
	}
}

// wait returns once nothing is being done, but after this time at the latest, and
// when the context ends.
func (p *precedence) wait(ctx context.Context, atMost time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	p.mu.Lock()
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
