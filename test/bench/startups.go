package main

import (
	"context"
	"fmt"
	"time"

	"isolate.example.io/test/bench/alternatives"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/installation"
)

const (
	// streamingLists is the variable of client-go's feature gate. Clients of before
	// Kubernetes 1.35 read a resource by one list.
	streamingLists = "KUBE_FEATURE_WatchListClient"

	// memoryLimit is the limit of both programs in the shipped manifests.
	memoryLimit = 256 << 20
	// maxReady is the goal for the time to ready.
	maxReady = 20 * time.Second
)

// startup is what a program takes to read everything.
type startup struct {
	peak  float64
	ready time.Duration
}

// startups measures how both programs start, and typed informers on the same objects: with
// streaming lists, and with the lists of older clients.
func (b *bench) startups(c *cluster, apps int) error {
	for _, lists := range []struct{ name, gate string }{{"streaming lists", "true"}, {"lists as by Kubernetes 1.30", "false"}} {
		err := withVariable(streamingLists, lists.gate, func() error { return b.startupsWith(c, apps, lists.name) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) startupsWith(c *cluster, apps int, lists string) error {
	policies := apps / 2
	selectors := apps*(1+revisions) + policies // And the NetworkPolicies, which the sweeper doesn't read.
	webhook, err := b.startup(c, c.isolate.StartWebhook)
	if err != nil {
		return err
	}
	sweeper, err := b.startup(c, c.isolate.StartSweeper, "--leader-elect=false")
	if err != nil {
		return err
	}
	controllers, err := b.informersStartup(c, alternatives.Controllers)
	if err != nil {
		return err
	}
	pods, err := b.informersStartup(c, alternatives.Pods)
	if err != nil {
		return err
	}
	const both = "typed informers on the selecting kinds and on pods"
	other := startup{peak: controllers.peak + pods.peak, ready: max(controllers.ready, pods.ready)}
	what := fmt.Sprintf("%d pods, %d selectors, %s: ", apps*podsEach, selectors+policies, lists)
	b.addStartup(what+"the webhook: ", webhook, other, both, selectors+policies)
	b.addStartup(what+"the sweeper: ", sweeper, other, both, selectors)
	return nil
}

func (b *bench) addStartup(what string, own, other startup, control string, selectors int) {
	b.add(figures.Figure{What: what + "resident at most", Value: figures.Sample{own.peak}, Control: control,
		ControlValue: figures.Sample{other.peak}, Unit: figures.Bytes, Goal: figures.ValueAtMost(0.6*memoryLimit, figures.Bytes)})
	b.add(figures.Figure{What: what + "resident at most, per 10000 selectors", Value: figures.Sample{own.peak * 10_000 / float64(selectors)}, Unit: figures.Bytes})
	b.add(figures.Figure{What: what + "ready after", Value: figures.Sample{milliseconds(own.ready)}, Control: control,
		ControlValue: figures.Sample{milliseconds(other.ready)}, Unit: figures.Milliseconds, Goal: figures.ValueAtMost(milliseconds(maxReady), figures.Milliseconds)})
}

// startup starts one of isolate's programs, and kills it when it reads nothing any more.
func (b *bench) startup(c *cluster, start func(context.Context, ...string) (*installation.Program, error), flags ...string) (startup, error) {
	began := time.Now()
	p, err := start(b.ctx, flags...)
	if err != nil {
		return startup{}, err
	}
	defer p.Kill()
	s := startup{ready: time.Since(began)}
	if p.Name == "sweeper" { // It reads all pods once.
		if _, err := b.quiet(func() (float64, error) { return c.requests(b.ctx, "pods") }); err != nil {
			return startup{}, err
		}
	}
	s.peak = peak(p.PID())
	return s, nil
}

// informersStartup starts an alternative, and kills it when its caches are synced.
func (b *bench) informersStartup(c *cluster, name string) (startup, error) {
	began := time.Now()
	p, err := b.startAlternative(c, name)
	if err != nil {
		return startup{}, err
	}
	defer p.Kill()
	err = b.until(name+" has read everything", func(ctx context.Context) bool {
		m, err := p.measures(ctx)
		return err == nil && m.sum(alternatives.SyncedMetric) == 1
	})
	return startup{ready: time.Since(began), peak: peak(p.PID())}, err
}
