package sweeper

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// tolerance is by how much the two clocks may differ before the later moment
	// counts. Stamps come from a third clock, the webhook's, so more exactness would
	// only delay deletions by what a Date header leaves open.
	tolerance = 2 * time.Second

	// freshness is how old an answer of the API server may be for a deletion to go
	// by it: a clock that was set since is not noticed.
	freshness = 5 * time.Second
)

// clocks tells the time by this machine's clock and the API server's together. An
// expired pod is deleted only when both say so.
type clocks struct {
	local  clock.PassiveClock
	server *ServerTime
	ask    func(context.Context) error // any cheap request to the API server
	skew   prometheus.Gauge

	asking sync.Mutex // one request at a time, however many workers wait for it

	mu      sync.Mutex
	differs bool // as last logged
}

// now is the moment that has been reached by both clocks. As long as they can't be
// more than tolerance apart it is this machine's time.
func (c *clocks) now(ctx context.Context) (time.Time, error) {
	if err := c.refresh(ctx); err != nil {
		return time.Time{}, err
	}
	earliest, latest, _, _ := c.server.bounds()
	local := c.local.Now()
	c.compare(ctx, local, skew(local, earliest, latest))
	if local.Sub(earliest) > tolerance {
		return earliest, nil
	}
	return local, nil
}

// skew is by how much the server's clock is certainly ahead of this machine's, or,
// negative, behind. It is 0 where they may agree.
func skew(local, earliest, latest time.Time) time.Duration {
	switch {
	case local.Before(earliest):
		return earliest.Sub(local)
	case local.After(latest):
		return latest.Sub(local)
	}
	return 0
}

// refresh makes sure that the API server's last answer is fresh.
func (c *clocks) refresh(ctx context.Context) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.fresh() {
		return nil
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	if !c.fresh() {
		return errNoTime
	}
	return nil
}

func (c *clocks) fresh() bool {
	_, _, age, ok := c.server.bounds()
	return ok && age < freshness
}

// compare publishes the skew, and logs it when it begins and when it ends. It ends
// at less than it begins: what a Date header tells varies by a second.
func (c *clocks) compare(ctx context.Context, local time.Time, skew time.Duration) {
	c.skew.Set(skew.Seconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	differs := skew.Abs() > tolerance || c.differs && skew.Abs() > tolerance-dateResolution
	if differs == c.differs {
		return
	}
	c.differs = differs
	message := logAgreeing
	if differs {
		message = logSkewed
	}
	log.FromContext(ctx).Info(message, "local", local.UTC(), "serverAhead", skew.String())
}
