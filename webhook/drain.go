package webhook

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

// errDraining is why the webhook is not ready any more.
var errDraining = errors.New("stopping: new connections belong elsewhere")

// Drain ends the webhook without losing an admission. The API server keeps
// connections open and sends the next review on one that it has used before; a
// server that just stops closes those, and a review that is under way on one is
// lost, as are the connections that still arrive until every node knows that the
// replica is gone. So, once told to stop, it says that it isn't ready, serves on
// for a while, and closes each connection with an answer that says so.
type Drain struct {
	// Period is how long to serve on.
	Period time.Duration
	Clock  clock.Clock

	draining atomic.Bool
}

// Context returns a context that ends when the drain is over, which begins when
// the given one ends.
func (d *Drain) Context(stop context.Context) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(stop))
	go func() {
		defer cancel()
		<-stop.Done()
		d.draining.Store(true)
		log.FromContext(stop).Info("Draining", "period", d.Period)
		<-d.Clock.After(d.Period)
	}()
	return ctx
}

// Handler has every answer say whether the connection can be used again.
func (d *Drain) Handler(next http.Handler) http.Handler {
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
