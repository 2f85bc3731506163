package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/bench/alternatives"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/gen/workload"
)

// memory measures the memory of both programs in a large cluster, and their requests
// while nothing happens.
func (b *bench) memory() error {
	c, err := b.startSweepable()
	if err != nil {
		return err
	}
	c.webhook().Kill() // Another replica is measured.
	pods, out := b.size(50_000, 500), b.size(100, 10)
	if err := b.createRunning(c, pods, out); err != nil {
		return err
	}
	if err := b.sweeperMemory(c, pods, out); err != nil {
		return err
	}
	apps := b.size(10_000, 100)
	if err := b.createApps(c, apps, 2); err != nil {
		return err
	}
	return b.webhookMemory(c, apps, pods)
}

// createRunning creates running pods, some of them quarantined.
func (b *bench) createRunning(c *cluster, n, out int) error {
	return many(b.ctx, loaders, n, func(ctx context.Context, i int) error {
		pod := workload.AppOf(namespace, i).Pod(fmt.Sprintf("pod-%05d", i))
		if i < out {
			quarantined(pod, time.Now().Add(24*time.Hour))
		}
		created, err := c.client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		_, err = c.client.CoreV1().Pods(namespace).UpdateStatus(ctx, workload.Run(created), metav1.UpdateOptions{})
		return err
	})
}

func (b *bench) sweeperMemory(c *cluster, pods, out int) error {
	started, err := c.isolate.StartSweeper(b.ctx)
	if err != nil {
		return err
	}
	own, err := b.settled(asProcess(started))
	if err != nil {
		return err
	}
	asked, window, err := b.idleRequests(c)
	if err != nil {
		return err
	}
	started.Kill()
	informer, err := b.read(c, alternatives.Pods)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("the sweeper, %d pods of which %d quarantined: ", pods, out)
	b.addMemory(what, own, informer, "a typed pod informer", figures.AtMost(0.01))
	b.add(figures.Figure{What: what + "lists of pods in an idle hour", Value: figures.Sample{asked * float64(time.Hour) / float64(window)},
		Control: "a poller of 30 s", ControlValue: figures.Sample{float64(time.Hour / alternatives.PollInterval)},
		Goal: figures.ValueAtMost(0, figures.Count)})
	return nil
}

// idleRequests counts the reads of pods while nothing happens.
func (b *bench) idleRequests(c *cluster) (asked float64, window time.Duration, err error) {
	reads := func() (float64, error) {
		m, err := c.measures(b.ctx)
		const name = "apiserver_request_total"
		return m.sum(name, "resource", "pods", "verb", "LIST") + m.sum(name, "resource", "pods", "verb", "GET"), err
	}
	before, err := b.quiet(reads)
	if err != nil {
		return 0, 0, err
	}
	window = time.Duration(b.size(90, 5)) * time.Second
	select {
	case <-time.After(window):
	case <-b.ctx.Done():
		return 0, 0, b.ctx.Err()
	}
	after, err := reads()
	return after - before, window, err
}

// quiet waits until the reads of the start have ended: the sweeper's startup scan lists
// all pods once.
func (b *bench) quiet(reads func() (float64, error)) (count float64, err error) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for last := -1.0; count != last; {
		last = count
		if count, err = reads(); err != nil {
			return 0, err
		}
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	return count, nil
}

func (b *bench) webhookMemory(c *cluster, apps, pods int) error {
	started, err := c.isolate.StartWebhook(b.ctx)
	if err != nil {
		return err
	}
	own, err := b.settled(asProcess(started))
	if err != nil {
		return err
	}
	started.Kill()
	informers, err := b.read(c, alternatives.Controllers)
	if err != nil {
		return err
	}
	withPods, err := b.read(c, alternatives.Pods)
	if err != nil {
		return err
	}
	withPods.heap += informers.heap
	withPods.resident += informers.resident
	withPods.peak += informers.peak
	what := fmt.Sprintf("the webhook, %d Services, %d ReplicaSets: ", apps, 2*apps)
	b.addMemory(what, own, informers, "typed informers on the same kinds", figures.AtMost(0.15))
	b.addMemory(what, own, withPods, fmt.Sprintf("the same and %d pods", pods), nil)
	b.add(figures.Figure{What: what + "heap a selector, all told", Value: figures.Sample{own.heap / float64(3*apps)},
		Control: "typed informers on the same kinds", ControlValue: figures.Sample{informers.heap / float64(3*apps)}, Unit: figures.Bytes})
	return nil
}

// read starts an alternative and measures it once its caches are synced.
func (b *bench) read(c *cluster, name string) (memory, error) {
	p, err := b.startAlternative(c, name)
	if err != nil {
		return memory{}, err
	}
	defer p.Kill()
	if err := b.until(name+" has read everything", func(ctx context.Context) bool {
		m, err := p.measures(ctx)
		return err == nil && m.sum(alternatives.SyncedMetric) == 1
	}); err != nil {
		return memory{}, err
	}
	return b.settled(p)
}

func (b *bench) addMemory(what string, own, other memory, control string, goal *figures.Goal) {
	b.add(figures.Figure{What: what + "heap", Value: figures.Sample{own.heap}, Control: control,
		ControlValue: figures.Sample{other.heap}, Unit: figures.Bytes, Goal: goal})
	b.add(figures.Figure{What: what + "resident at most", Value: figures.Sample{own.peak}, Control: control,
		ControlValue: figures.Sample{other.peak}, Unit: figures.Bytes})
}

func asProcess(p *installation.Program) *process {
	return &process{Process: p.Process, metricsURL: p.MetricsURL}
}
