package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
)

// warmup is the number of unmeasured writes after a change of what is installed: they
// open connections and fill caches.
const warmup = 10

// unrelated measures writes of pods that isolate doesn't handle.
func (b *bench) unrelated() error {
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	if err := b.createApps(c, 20, 1); err != nil {
		return err
	}
	v, err := b.newVariants(c)
	if err != nil {
		return err
	}
	if err := v.use(none); err != nil {
		return err
	}
	w := &crew{bench: b, cluster: c, apps: 20}
	free, err := w.create(1, nil)
	if err != nil {
		return err
	}
	out, err := w.create(1, func(_ int, pod *corev1.Pod) { quarantined(pod, time.Now().Add(time.Hour)) })
	if err != nil {
		return err
	}
	metadata, status := map[string]figures.Sample{}, map[string]figures.Sample{}
	var calls float64
	for round := range b.size(16, 2) {
		order := []string{none, isolate}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			if err := v.use(name); err != nil {
				return err
			}
			before, err := c.webhookCalls(b.ctx)
			if err != nil {
				return err
			}
			if err := b.unrelatedWrites(c, free[0], out[0], name, metadata, status); err != nil {
				return err
			}
			after, err := c.webhookCalls(b.ctx)
			if err != nil {
				return err
			}
			calls += after - before
		}
	}
	const installed = "not installed"
	b.add(figures.Figure{What: "an annotation of somebody else's", Value: metadata[isolate], Control: installed,
		ControlValue: metadata[none], Unit: figures.Milliseconds, Goal: figures.AtMost(1.02)})
	b.add(figures.Figure{What: "a kubelet's status update of a quarantined pod", Value: status[isolate], Control: installed,
		ControlValue: status[none], Unit: figures.Milliseconds, Goal: figures.AtMost(1.02)})
	b.add(figures.Figure{What: "calls of the webhook by these writes", Value: figures.Sample{calls}, Goal: figures.ValueAtMost(0, figures.Count)})
	return nil
}

// unrelatedWrites alternates between the two kinds of writes and records the medians.
func (b *bench) unrelatedWrites(c *cluster, free, out, variant string, metadata, status map[string]figures.Sample) error {
	var ofMetadata, ofStatus figures.Sample
	for i := range b.size(400, 20) + warmup {
		value := strconv.FormatInt(time.Now().UnixNano(), 10)
		first, err := c.annotate(b.ctx, free, "example.com/touched", value)
		if err != nil {
			return err
		}
		second, err := c.patch(b.ctx, out, `{"status":{"message":"`+value+`"}}`, "status")
		if err != nil {
			return err
		}
		if i >= warmup {
			ofMetadata, ofStatus = append(ofMetadata, first), append(ofStatus, second)
		}
	}
	metadata[variant] = append(metadata[variant], ofMetadata.Median())
	status[variant] = append(status[variant], ofStatus.Median())
	return nil
}

// latency measures what isolate adds to a PATCH that quarantines.
func (b *bench) latency() error {
	all := []string{none, floor, checkedFloor, isolate, defaulter, policy}
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	apps := b.size(5000, 50)
	if err := b.createApps(c, apps, 1); err != nil {
		return err
	}
	v, err := b.newVariants(c, all...)
	if err != nil {
		return err
	}
	rounds, each := b.size(15, 2), b.size(150, 10)+warmup
	w := &crew{bench: b, cluster: c, apps: apps}
	pods, err := w.create(rounds*len(all)*each, nil) // All in advance, so that creating them doesn't disturb the measurement.
	if err != nil {
		return err
	}
	times := map[string]figures.Sample{}
	for round := range rounds {
		for i := range all {
			name := all[(i+round)%len(all)]
			if err := v.use(name); err != nil {
				return err
			}
			took, err := c.quarantineEach(b.ctx, pods[:each])
			if err != nil {
				return err
			}
			times[name], pods = append(times[name], took), pods[each:]
		}
	}
	added := func(name string) figures.Sample { return times[name].Minus(times[none]) }
	what := fmt.Sprintf("added to the PATCH by a quarantine, %d selectors in the namespace", 2*apps)
	for _, against := range []struct {
		name, is string
		goal     *figures.Goal
	}{
		{floor, "a ready-made patch (the floor)", figures.AtMost(1.25)},
		{checkedFloor, "a ready-made patch, and a check that allows everything", nil},
		{defaulter, "controller-runtime's WithDefaulter", figures.AtMost(0.5)},
		{policy, "a MutatingAdmissionPolicy with fixed labels", nil},
	} {
		b.add(figures.Figure{What: what, Value: added(isolate), Control: against.is, ControlValue: added(against.name),
			Unit: figures.Milliseconds, Goal: against.goal})
	}
	b.add(figures.Figure{What: "the whole PATCH that quarantines", Value: times[isolate], Control: "no webhook",
		ControlValue: times[none], Unit: figures.Milliseconds})
	return nil
}

// quarantineEach returns the median duration of a quarantine, without the warm-up.
func (c *cluster) quarantineEach(ctx context.Context, pods []string) (float64, error) {
	var times figures.Sample
	for i, pod := range pods {
		took, err := c.annotate(ctx, pod, quarantine.TriggerKey, quarantine.True)
		if err != nil {
			return 0, err
		}
		if i >= warmup {
			times = append(times, took)
		}
	}
	return times.Median(), nil
}

// atOnce measures many concurrent quarantines.
func (b *bench) atOnce() error {
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	const apps = 40
	if err := b.createApps(c, apps, 1); err != nil {
		return err
	}
	v, err := b.newVariants(c)
	if err != nil {
		return err
	}
	w := &crew{bench: b, cluster: c, apps: apps}
	n := b.size(200, 20)
	concurrencies := []int{1, 8, 50}
	rates := map[string]map[int]figures.Sample{none: {}, isolate: {}}
	var failures atomic.Int64
	for round := range b.size(6, 1) {
		for i := range 2 {
			name := []string{none, isolate}[(i+round)%2]
			if err := v.use(name); err != nil {
				return err
			}
			for _, workers := range concurrencies {
				pods, err := w.create(n, nil)
				if err != nil {
					return err
				}
				start := time.Now()
				_ = many(b.ctx, workers, n, func(ctx context.Context, i int) error {
					if _, err := c.annotate(ctx, pods[i], quarantine.TriggerKey, quarantine.True); err != nil {
						failures.Add(1)
					}
					return nil
				})
				rates[name][workers] = append(rates[name][workers], float64(n)/time.Since(start).Seconds())
			}
		}
	}
	for _, workers := range concurrencies {
		b.add(figures.Figure{What: fmt.Sprintf("%d quarantines, %d at a time", n, workers), Value: rates[isolate][workers],
			Control: "no webhook", ControlValue: rates[none][workers], Unit: figures.PerSecond})
	}
	b.add(figures.Figure{What: "failures of these", Value: figures.Sample{float64(failures.Load())}, Goal: figures.ValueAtMost(0, figures.Count)})
	return nil
}
