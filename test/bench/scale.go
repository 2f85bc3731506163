package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
)

// scale measures both programs in a cluster at Kubernetes' published limits, and beyond
// them in what these don't limit.
func (b *bench) scale() error {
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	if err := b.createApps(c, 1, 1); err != nil {
		return err
	}
	v, err := b.newVariants(c)
	if err != nil {
		return err
	}
	w := &crew{bench: b, cluster: c, apps: 1}
	empty, err := b.quarantineRounds(w)
	if err != nil {
		return err
	}
	c.webhook().Kill()
	if err := v.use(none); err != nil {
		return err
	}
	apps, out := b.size(10_000, 100), b.size(2000, 20)
	if err := b.populate(c, apps, out); err != nil {
		return err
	}
	if err := b.startups(c, apps); err != nil {
		return err
	}
	webhook, err := c.isolate.StartWebhook(b.ctx)
	if err != nil {
		return err
	}
	if err := v.use(isolate); err != nil {
		return err
	}
	full, err := b.quarantineRounds(w)
	if err != nil {
		return err
	}
	b.add(figures.Figure{What: "the whole PATCH that quarantines", Value: full, Control: "the same in an almost empty cluster",
		ControlValue: empty, Unit: figures.Milliseconds})
	if err := b.massEvent(c, b.size(1000, 50), time.Duration(b.size(60, 3))*time.Second); err != nil {
		return err
	}
	b.add(figures.Figure{What: "the webhook's resident memory at most, after all of these", Value: figures.Sample{peak(webhook.PID())}, Unit: figures.Bytes})
	webhook.Kill()
	if err := v.use(none); err != nil {
		return err
	}
	return b.takeover(c, b.size(2000, 20))
}

// populate fills the cluster, and checks that the API server serves everything.
func (b *bench) populate(c *cluster, apps, out int) error {
	p, err := b.newPopulation(c)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := p.fill(b.ctx, apps, out); err != nil {
		return err
	}
	first := metav1.ListOptions{Limit: 1}
	pods, err := c.client.CoreV1().Pods(namespace).List(b.ctx, first)
	if err != nil {
		return err
	}
	sets, err := c.client.AppsV1().ReplicaSets(namespace).List(b.ctx, first)
	if err != nil {
		return err
	}
	if ptr.Deref(pods.RemainingItemCount, 0) < int64(apps*podsEach) || ptr.Deref(sets.RemainingItemCount, 0) < int64(apps*revisions) {
		return errors.New("the API server does not serve all objects that were written to etcd")
	}
	fmt.Fprintf(os.Stderr, "%d apps written in %s: ", apps, time.Since(start).Round(time.Second))
	return nil
}

// quarantineRounds returns the median duration of a quarantine, round by round.
func (b *bench) quarantineRounds(w *crew) (figures.Sample, error) {
	rounds, each := b.size(9, 2), b.size(40, 5)+warmup
	pods, err := w.create(rounds*each, nil)
	if err != nil {
		return nil, err
	}
	var medians figures.Sample
	for range rounds {
		took, err := w.cluster.quarantineEach(b.ctx, pods[:each])
		if err != nil {
			return nil, err
		}
		medians, pods = append(medians, took), pods[each:]
	}
	return medians, nil
}
