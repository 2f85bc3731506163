package main

import (
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/load"
)

// millicores are thousandths of a CPU, the unit of container requests.
const millicores figures.Unit = "millicores"

// resources measures the CPU and memory of both programs, idle and under more load than
// they should ever have. The manifests' requests and limits follow from it.
func (b *bench) resources() error {
	klog.SetLogger(logr.Discard()) // Writes that the end interrupts are not errors.
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	apps := b.size(5000, 50)
	if err := b.createApps(c, apps, 1); err != nil {
		return err
	}
	v, err := b.newVariants(c)
	if err != nil {
		return err
	}
	c.webhook().Kill() // Another replica reads everything at its start.
	if err := b.webhookResources(c, 2*apps); err != nil {
		return err
	}
	// The pods are created with the record that the webhook would write.
	if err := v.use(none); err != nil {
		return err
	}
	return b.sweeperResources(c, 2*apps)
}

func (b *bench) webhookResources(c *cluster, selectors int) error {
	webhook, err := c.isolate.StartWebhook(b.ctx)
	if err != nil {
		return err
	}
	defer webhook.Kill()
	what := fmt.Sprintf("the webhook, %d selectors: ", selectors)
	if err := b.idle(what, webhook); err != nil {
		return err
	}
	// More writers than the API server has idle connections.
	const writers = 32
	var report load.Report
	took, spent, err := b.spend(what+fmt.Sprintf("%d writers that quarantine without a pause: ", writers), webhook, func() error {
		quarantines, err := load.Start(b.ctx, c.Config(), namespace, writers)
		if err != nil {
			return err
		}
		err = b.pass(time.Duration(b.size(60, 5)) * time.Second)
		report = quarantines.Stop()
		return err
	})
	if err != nil {
		return err
	}
	if report.Lost > 0 {
		return fmt.Errorf("quarantines failed: %s", report)
	}
	b.add(figures.Figure{What: what + "quarantines of these writers", Value: figures.Sample{float64(report.Sent) / took.Seconds()}, Unit: figures.PerSecond})
	b.add(figures.Figure{What: what + "CPU of one of them", Value: figures.Sample{1000 * spent / float64(report.Sent)}, Unit: figures.Milliseconds})
	return nil
}

func (b *bench) sweeperResources(c *cluster, selectors int) error {
	sweeper, err := c.isolate.StartSweeper(b.ctx)
	if err != nil {
		return err
	}
	defer sweeper.Kill()
	what := fmt.Sprintf("the sweeper, %d selectors: ", selectors)
	if err := b.idle(what, sweeper); err != nil {
		return err
	}
	n := b.size(5000, 100)
	gone, err := b.watchDeletions(c, n)
	if err != nil {
		return err
	}
	defer gone.stop()
	due := time.Now().Add(time.Duration(n/200+5) * time.Second).Truncate(time.Second)
	if _, err := b.expiring(c, n, due); err != nil {
		return err
	}
	if err := b.pass(time.Until(due)); err != nil {
		return err
	}
	_, spent, err := b.spend(what+fmt.Sprintf("%d pods that expire together: ", n), sweeper, func() error {
		for range n {
			if _, _, err := gone.next(b.ctx); err != nil {
				return err
			}
		}
		return nil
	})
	b.add(figures.Figure{What: what + "CPU of one of these deletions", Value: figures.Sample{1000 * spent / float64(n)}, Unit: figures.Milliseconds})
	return err
}

// idle measures a program with synced caches while nothing happens.
func (b *bench) idle(what string, p *installation.Program) error {
	settled, err := b.settled(asProcess(p))
	if err != nil {
		return err
	}
	b.add(figures.Figure{What: what + "heap", Value: figures.Sample{settled.heap}, Unit: figures.Bytes})
	_, _, err = b.spend(what+"idle: ", p, func() error { return b.pass(time.Duration(b.size(60, 5)) * time.Second) })
	return err
}

// spend measures a program while f runs. It returns the duration and the CPU seconds.
func (b *bench) spend(what string, p *installation.Program, do func() error) (took time.Duration, seconds float64, err error) {
	const total = "process_cpu_seconds_total"
	before, err := asProcess(p).measures(b.ctx)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := do(); err != nil {
		return 0, 0, err
	}
	took = time.Since(start)
	after, err := asProcess(p).measures(b.ctx)
	if err != nil {
		return 0, 0, err
	}
	seconds = after.sum(total) - before.sum(total)
	b.add(figures.Figure{What: what + "CPU", Value: figures.Sample{1000 * seconds / took.Seconds()}, Unit: millicores})
	b.add(figures.Figure{What: what + "resident", Value: figures.Sample{after.sum("process_resident_memory_bytes")}, Unit: figures.Bytes})
	b.add(figures.Figure{What: what + "resident at most so far", Value: figures.Sample{peak(p.PID())}, Unit: figures.Bytes})
	return took, seconds, nil
}

// pass waits, because idle load takes time to measure.
func (b *bench) pass(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}
