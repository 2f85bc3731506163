package clocks

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Tolerance is how far the two clocks may differ before it is reported, and before a pod
// expires by the later of them. A Date header leaves open a second, and the webhook stamps
// pods by such headers too, so being more exact would only delay deletions.
const Tolerance = 2 * time.Second

// maxAge is the greatest age of the API server's last response for a deletion to rely on
// it: if the API server's clock was set since that response, this would go unnoticed.
const maxAge = 5 * time.Second

// Clocks tells the time by the local clock and the API server's clock.
type Clocks struct {
	local  clock.PassiveClock
	server *ServerTime
	ask    func(context.Context) error
	skew   prometheus.Gauge

	asking chan struct{} // one request at a time, however many wait for it

	mu     sync.Mutex
	skewed bool // as last logged
}

// New returns clocks that call ask, which makes any cheap request to the API server, when
// its last response is too old.
func New(local clock.PassiveClock, server *ServerTime, ask func(context.Context) error, registry prometheus.Registerer) (*Clocks, error) {
	c := &Clocks{local: local, server: server, ask: ask, skew: newSkewGauge(), asking: make(chan struct{}, 1)}
	return c, registry.Register(c.skew)
}

// Reached returns the latest moment that both clocks have reached. While they may be within
// the tolerance of each other, that is the local time.
func (c *Clocks) Reached(ctx context.Context) (time.Time, error) {
	if err := c.refresh(ctx, maxAge); err != nil {
		return time.Time{}, err
	}
	earliest, latest, _, _ := c.server.bounds()
	local := c.local.Now()
	c.reportSkew(ctx, local, skewOf(local, earliest, latest))
	return c.Now(), nil
}

// Now is [Clocks.Reached] by the API server's last response, however old that is, for what
// deletes nothing. Before the first response it is the local time. It implements
// [clock.PassiveClock].
func (c *Clocks) Now() time.Time {
	local := c.local.Now()
	if earliest, _, _, ok := c.server.bounds(); ok && local.Sub(earliest) > Tolerance {
		return earliest
	}
	return local
}

// Since implements [clock.PassiveClock].
func (c *Clocks) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// skewOf returns how far the server's clock is certainly ahead of the local clock,
// negative if behind, and 0 if they may agree.
func skewOf(local, earliest, latest time.Time) time.Duration {
	switch {
	case local.Before(earliest):
		return earliest.Sub(local)
	case local.After(latest):
		return latest.Sub(local)
	}
	return 0
}

// refresh ensures that the API server's last response is younger than an age. It does not
// wait for longer than the context, even if others ask at the same time.
func (c *Clocks) refresh(ctx context.Context, age time.Duration) error {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.isYounger(age) {
		return nil
	}
	err := c.ask(ctx)
	if c.isYounger(age) { // A refusal tells the time too.
		return nil
	}
	return cmp.Or(err, errNoDate)
}

func (c *Clocks) isYounger(than time.Duration) bool {
	_, _, age, ok := c.server.bounds()
	return ok && age < than
}

// reportSkew sets the metric, and logs when skew starts and stops, with hysteresis: a
// Date header is only exact to the second.
func (c *Clocks) reportSkew(ctx context.Context, local time.Time, skew time.Duration) {
	c.skew.Set(skew.Seconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	skewed := skew.Abs() > Tolerance || c.skewed && skew.Abs() > Tolerance-dateResolution
	if skewed == c.skewed {
		return
	}
	c.skewed = skewed
	message := logInSync
	if skewed {
		message = logSkewed
	}
	log.FromContext(ctx).Info(message, "localTime", local.UTC(), "serverAhead", skew.String())
}
