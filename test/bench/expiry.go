package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/bench/alternatives"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
)

// slots is the number of parts that a run is divided into, to see how stable it is.
const slots = 10

// expiry measures the time from a pod's expiry to its deletion.
func (b *bench) expiry() error {
	c, err := b.startSweepable()
	if err != nil {
		return err
	}
	n, spread := b.size(10_000, 100), time.Duration(b.size(150, 5))*time.Second
	sweeper, err := c.isolate.StartSweeper(b.ctx, "--leader-elect=false")
	if err != nil {
		return err
	}
	own, err := b.lags(c, n, spread)
	if err != nil {
		return err
	}
	sweeper.Kill()
	if _, err := b.startAlternative(c, alternatives.Poller); err != nil {
		return err
	}
	polled, err := b.lags(c, b.size(3000, 100), max(spread/2, alternatives.PollInterval*5/4))
	if err != nil {
		return err
	}
	for _, q := range []struct {
		name  string
		share float64
		goal  *figures.Goal
	}{{"median", 0.5, nil}, {"99th percentile", 0.99, figures.ValueAtMost(250, figures.Milliseconds)}} {
		b.add(figures.Figure{What: fmt.Sprintf("from expiry to deletion, %d pods over %s: %s", n, spread, q.name),
			Value: own.quantiles(q.share), Control: "a poller of 30 s", ControlValue: figures.Sample{polled.all().Quantile(q.share)},
			Unit: figures.Milliseconds, Goal: q.goal})
	}
	return nil
}

// startSweepable starts an API server with isolate's roles but without its webhook and
// policies: the pods are created with the record that the webhook would write.
func (b *bench) startSweepable() (*cluster, error) {
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return nil, err
	}
	if err := b.createApps(c, 1, 1); err != nil {
		return nil, err
	}
	v, err := b.newVariants(c)
	if err != nil {
		return nil, err
	}
	return c, v.use(none)
}

// lateness holds the milliseconds between expiry and deletion, by slot.
type lateness [slots]figures.Sample

func (l lateness) all() figures.Sample {
	var all figures.Sample
	for _, sample := range l {
		all = append(all, sample...)
	}
	return all
}

// quantiles returns one value per slot.
func (l lateness) quantiles(q float64) figures.Sample {
	var found figures.Sample
	for _, sample := range l {
		if len(sample) > 0 {
			found = append(found, sample.Quantile(q))
		}
	}
	return found
}

// lags creates pods that expire evenly over the spread, in whole seconds, and waits
// until all are gone.
func (b *bench) lags(c *cluster, n int, spread time.Duration) (lateness, error) {
	var late lateness
	gone, err := b.watchDeletions(c, n)
	if err != nil {
		return late, err
	}
	defer gone.stop()
	// About 400 pods can be created per second.
	begin := time.Now().Add(time.Duration(n/200+5) * time.Second).Truncate(time.Second)
	due := map[string]time.Time{}
	pods := make([]*corev1.Pod, n)
	for i := range n {
		at := begin.Add(spread * time.Duration(i) / time.Duration(n)).Truncate(time.Second)
		pods[i] = quarantined(plainPod(fmt.Sprintf("due-%d-%d", begin.Unix(), i)), at)
		due[pods[i].Name] = at
	}
	if err := b.createPods(c, pods); err != nil {
		return late, err
	}
	if time.Now().After(begin) {
		return late, fmt.Errorf("creating %d pods took %s too long: the first had expired", n, time.Since(begin))
	}
	for len(due) > 0 {
		pod, when, err := gone.next(b.ctx)
		if err != nil {
			return late, err
		}
		at, waited := due[pod]
		if !waited {
			continue
		}
		delete(due, pod)
		slot := min(int(at.Sub(begin)*slots/spread), slots-1)
		late[slot] = append(late[slot], milliseconds(when.Sub(at)))
	}
	return late, nil
}

// plainPod returns a pod that nothing selects.
func plainPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{SchedulerName: "nobody", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
}

func (b *bench) createPods(c *cluster, pods []*corev1.Pod) error {
	return many(b.ctx, loaders, len(pods), func(ctx context.Context, i int) error {
		_, err := c.client.CoreV1().Pods(namespace).Create(ctx, pods[i], metav1.CreateOptions{})
		return err
	})
}
