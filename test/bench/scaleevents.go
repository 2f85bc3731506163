package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/installation"
)

// massEvent quarantines a pod of each of n apps, evenly over a time. It does not wait for
// an answer before the next.
func (b *bench) massEvent(c *cluster, n int, over time.Duration) error {
	var mu sync.Mutex
	var took figures.Sample
	var failed []error
	var group sync.WaitGroup
	ticker := time.NewTicker(over / time.Duration(n))
	defer ticker.Stop()
	for i := range n {
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
		group.Go(func() {
			duration, err := c.annotate(b.ctx, podName(i+1, 0), quarantine.TriggerKey, quarantine.True)
			mu.Lock()
			defer mu.Unlock()
			if took = append(took, duration); err != nil {
				failed = append(failed, err)
			}
		})
	}
	group.Wait()
	if len(failed) > 0 {
		fmt.Fprintln(os.Stderr, "the first failure:", failed[0])
	}
	what := fmt.Sprintf("%d pods quarantined in %s, no budget: ", n, over)
	b.add(figures.Figure{What: what + "failures", Value: figures.Sample{float64(len(failed))}, Goal: figures.ValueAtMost(0, figures.Count)})
	b.add(figures.Figure{What: what + "99th percentile of the PATCH", Value: figures.Sample{took.Quantile(0.99)}, Unit: figures.Milliseconds})
	return nil
}

// takeover measures a standby that becomes the leader when many pods are overdue, because
// the leader was killed just before they expired.
func (b *bench) takeover(c *cluster, n int) error {
	leader, err := c.isolate.StartSweeper(b.ctx)
	if err != nil {
		return err
	}
	if err := b.until("a sweeper leads", func(ctx context.Context) bool { return leads(ctx, leader) }); err != nil {
		return err
	}
	if _, err := c.isolate.StartSweeper(b.ctx); err != nil {
		return err
	}
	gone, err := b.watchDeletions(c, n)
	if err != nil {
		return err
	}
	defer gone.stop()
	due := time.Now().Add(time.Duration(n/100+5) * time.Second).Truncate(time.Second)
	if _, err := b.expiring(c, n, due); err != nil {
		return err
	}
	if time.Now().After(due.Add(-time.Second)) {
		return fmt.Errorf("creating %d pods took until %s before they expire", n, time.Until(due))
	}
	if err := b.pass(time.Until(due.Add(-time.Second))); err != nil {
		return err
	}
	leader.Kill()
	_, first, err := gone.next(b.ctx)
	if err != nil {
		return err
	}
	last, err := gone.last(b.ctx, n-1)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d pods expire, the leader was killed a second before: ", n)
	b.add(figures.Figure{What: what + "until the standby deletes the first", Value: figures.Sample{milliseconds(first.Sub(due))}, Unit: figures.Milliseconds})
	b.add(figures.Figure{What: what + "from then until all are gone", Value: figures.Sample{milliseconds(last.Sub(first))}, Unit: figures.Milliseconds})
	return nil
}

func leads(ctx context.Context, sweeper *installation.Program) bool {
	m, err := asProcess(sweeper).measures(ctx)
	return err == nil && m.sum("leader_election_master_status") == 1
}
