package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// errDraining is why the webhook is not ready any more.
var errDraining = errors.New("stopping: new connections belong elsewhere")

// maxDrain is how long a connection may take to be used once more or closed by the
// API server, and some to spare.
const maxDrain = apiServerIdleTimeout + 5*time.Second

// Drain ends the webhook without losing an admission. The API server keeps
// connections open and sends the next review on one that it has used before: it
// is lost if the webhook closes that one at the same moment, however idle it was.
// Lost, too, are connections that arrive after the end, until every node knows
// that the replica is gone. So, once told to stop, the webhook says that it isn't
// ready, serves on for a while, closes each connection with an answer that says
// so, and leaves it to the API server to close those that need no answer.
type Drain struct {
	period time.Duration
	clock  clock.Clock

	draining atomic.Bool

	// open are the connections. Each that closes is told of in closed, unless one
	// before it still is.
	open   atomic.Int64
	closed chan struct{}
}

// NewDrain returns a drain that serves on for the period at least, and then until
// no connection is left, 95 seconds at most: that long only if the API server has
// just asked for more at a time than it does now. A period of 0 ends at once.
func NewDrain(period time.Duration, clock clock.Clock) *Drain {
	return &Drain{period: period, clock: clock, closed: make(chan struct{}, 1)}
}

// Context returns a context that ends when the drain is over, which begins when
// the given one ends.
func (d *Drain) Context(stop context.Context) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(stop))
	go func() {
		defer cancel()
		<-stop.Done()
		d.draining.Store(true)
		logger, start := log.FromContext(stop), d.clock.Now()
		logger.Info("Draining", "period", d.period)
		if d.period > 0 {
			d.serveOn()
		}
		logger.Info("Drained", "took", d.clock.Since(start), "connections", d.open.Load())
	}()
	return ctx
}

func (d *Drain) serveOn() {
	tooLong := d.clock.After(maxDrain)
	<-d.clock.After(d.period)
	for d.open.Load() > 0 {
		select {
		case <-d.closed:
		case <-tooLong:
			return
		}
	}
}

// connState is an [http.Server]'s hook.
func (d *Drain) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		d.open.Add(1)
	case http.StateClosed:
		d.open.Add(-1)
		select {
		case d.closed <- struct{}{}:
		default:
		}
	default: // The connection stays open.
	}
}

// handler has every answer say whether the connection can be used again.
func (d *Drain) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Ready implements controller-runtime's healthz.Checker.
func (d *Drain) Ready(*http.Request) error {
	if d.draining.Load() {
		return errDraining
	}
	return nil
}
