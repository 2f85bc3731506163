package webhook

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// maxDrain bounds the drain: the API server uses or closes each of its connections
// within its idle timeout.
const maxDrain = apiServerIdleTimeout + 5*time.Second

// Drain shuts the webhook down without losing an admission. The API server reuses idle
// connections, so a review is lost if the webhook closes its connection at the same
// moment. A new connection is lost too if it arrives after the webhook has stopped, but
// before every node knows that. So a draining webhook reports not ready, keeps serving
// for a period, closes each connection after its response, and leaves it to the API
// server to close the connections that it keeps idle.
type Drain struct {
	period time.Duration
	clock  clock.Clock

	draining atomic.Bool

	// open counts connections. Each close is signalled on closed; signals coalesce.
	open   atomic.Int64
	closed chan struct{}
}

// NewDrain returns a drain that serves for at least the period, and then until no
// connection is left, for at most 95 seconds. A period of 0 ends at once.
func NewDrain(period time.Duration, clock clock.Clock) *Drain {
	return &Drain{period: period, clock: clock, closed: make(chan struct{}, 1)}
}

// Context returns a context for the manager. The drain begins when stop ends, and the
// returned context ends when the drain is complete.
func (d *Drain) Context(stop context.Context) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(stop))
	go func() {
		defer cancel()
		<-stop.Done()
		d.draining.Store(true)
		logger, start := log.FromContext(stop), d.clock.Now()
		logger.Info(logDraining, "period", d.period)
		if d.period > 0 {
			d.wait()
		}
		logger.Info(logDrained, "took", d.clock.Since(start), "connections", d.open.Load())
	}()
	return ctx
}

func (d *Drain) wait() {
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

func (d *Drain) opened() { d.open.Add(1) }

func (d *Drain) closedOne() {
	d.open.Add(-1)
	select {
	case d.closed <- struct{}{}:
	default:
	}
}

// handler closes each connection after its response once the drain has begun.
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
