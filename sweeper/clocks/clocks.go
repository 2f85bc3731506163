package clocks

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// tolerance is how far the two clocks may differ before the later moment counts.
	// The stamps come from a third clock, the webhook's, so being more exact would only
	// delay deletions by the second that a Date header leaves open.
	tolerance = 2 * time.Second

	// maxAge is the greatest age of the API server's last response for a deletion to rely
	// on it: a clock that was set since that response would go unnoticed.
	maxAge = 5 * time.Second
)

// Clocks tells the time by the local clock and the API server's clock together. An
// expired pod is deleted only when both have reached its expiry.
type Clocks struct {
	local  clock.PassiveClock
	server *ServerTime
	ask    func(context.Context) error
	skew   prometheus.Gauge

	asking sync.Mutex // one request at a time, however many workers wait for it

	mu     sync.Mutex
	skewed bool // as last logged
}

// New returns clocks that call ask, which makes any cheap request to the API server,
// when its last response is too old.
func New(local clock.PassiveClock, server *ServerTime, ask func(context.Context) error, registry prometheus.Registerer) (*Clocks, error) {
	c := &Clocks{local: local, server: server, ask: ask, skew: newSkewGauge()}
	return c, registry.Register(c.skew)
}

// Now returns the latest moment that both clocks have reached. While they may be within
// the tolerance of each other, that is the local time.
func (c *Clocks) Now(ctx context.Context) (time.Time, error) {
	if err := c.refresh(ctx); err != nil {
		return time.Time{}, err
	}
	earliest, latest, _, _ := c.server.bounds()
	local := c.local.Now()
	c.reportSkew(ctx, local, skewOf(local, earliest, latest))
	if local.Sub(earliest) > tolerance {
		return earliest, nil
	}
	return local, nil
}

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

// refresh ensures that the API server's last response is recent.
func (c *Clocks) refresh(ctx context.Context) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.isRecent() {
		return nil
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	if !c.isRecent() {
		return errNoTime
	}
	return nil
}

func (c *Clocks) isRecent() bool {
	_, _, age, ok := c.server.bounds()
	return ok && age < maxAge
}

// reportSkew sets the metric, and logs when skew starts and stops, with hysteresis: a
// Date header is only exact to the second.
func (c *Clocks) reportSkew(ctx context.Context, local time.Time, skew time.Duration) {
	c.skew.Set(skew.Seconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	skewed := skew.Abs() > tolerance || c.skewed && skew.Abs() > tolerance-dateResolution
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
