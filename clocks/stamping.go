package clocks

import (
	"context"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// askInterval is how often [Clocks.Start] asks for the API server's time.
	askInterval = 5 * time.Second

	// knownFor is how old the API server's last response may be for the webhook to stamp
	// pods by it. It has room for a response that is lost.
	knownFor = 15 * time.Second
)

// Start compares the clocks every few seconds until the context ends. The webhook's watches
// have few responses, and no admission should have to wait for one. It implements
// controller-runtime's manager.Runnable.
func (c *Clocks) Start(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if _, err := c.Reached(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, logUncomparable)
		}
		timer.Reset(askInterval)
	}
}

// NeedLeaderElection implements controller-runtime's LeaderElectionRunnable.
func (c *Clocks) NeedLeaderElection() bool { return false }

// Server returns the API server's time, to the second and the time that a request takes: the
// time that its clock can show and that is nearest to the local clock. It fails if the
// API server has not responded for 15 seconds.
func (c *Clocks) Server() (time.Time, error) {
	earliest, latest, age, ok := c.server.bounds()
	local := c.local.Now()
	switch {
	case !ok || age >= knownFor:
		return time.Time{}, errNotKnown
	case local.Before(earliest):
		return earliest, nil
	case local.After(latest):
		return latest, nil
	}
	return local, nil
}

// Wait waits until the API server's time is known, or the context ends.
func (c *Clocks) Wait(ctx context.Context) error {
	if _, err := c.Server(); err == nil {
		return nil
	}
	return c.refresh(ctx, knownFor)
}

// Ready implements controller-runtime's healthz.Checker.
func (c *Clocks) Ready(*http.Request) error {
	_, err := c.Server()
	return err
}
