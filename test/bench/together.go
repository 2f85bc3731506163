package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/installation"
)

// together measures how fast the sweeper deletes pods that expire in the same second,
// compared to a client that only deletes.
func (b *bench) together() error {
	c, err := b.startSweepable()
	if err != nil {
		return err
	}
	bare, err := c.bareClient(b.ctx)
	if err != nil {
		return err
	}
	best, err := b.bestWorkers(c, bare)
	if err != nil {
		return err
	}
	n := b.size(5000, 100)
	var own, control, requests figures.Sample
	for round := range b.size(4, 1) {
		for i := range 2 {
			if (i+round)%2 == 0 {
				rate, asked, err := b.sweep(c, n)
				if err != nil {
					return err
				}
				own, requests = append(own, rate), append(requests, asked/float64(n))
				continue
			}
			rate, err := b.deleteBare(c, bare, n, best)
			if err != nil {
				return err
			}
			control = append(control, rate)
		}
	}
	b.add(figures.Figure{What: fmt.Sprintf("%d pods that expire in the same second", n), Value: own,
		Control: fmt.Sprintf("a bare client, %d workers (the best number)", best), ControlValue: control,
		Unit: figures.PerSecond, Goal: figures.AtLeast(0.95)})
	b.add(figures.Figure{What: "requests about pods a deletion", Value: requests, Control: "the bare client",
		ControlValue: figures.Sample{1}, Goal: figures.ValueAtMost(1, figures.Count)})
	return nil
}

// bestWorkers returns the number of workers with which a bare client deletes fastest.
func (b *bench) bestWorkers(c *cluster, bare corev1client.PodInterface) (int, error) {
	best, bestRate := 0, 0.0
	for _, workers := range []int{8, 16, 32, 64, 128} {
		rate, err := b.deleteBare(c, bare, b.size(1500, 50), workers)
		if err != nil {
			return 0, err
		}
		if rate > bestRate {
			best, bestRate = workers, rate
		}
	}
	return best, nil
}

// expiring creates pods that expire at the same time.
func (b *bench) expiring(c *cluster, n int, at time.Time) ([]*corev1.Pod, error) {
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		pods[i] = quarantined(plainPod(fmt.Sprintf("same-%d-%d", at.UnixNano(), i)), at)
	}
	return pods, b.createPods(c, pods)
}

// bareClient returns a client that only deletes. It uses the sweeper's ServiceAccount,
// because an administrator's requests cost less authorization, and the cheapest encoding.
func (c *cluster) bareClient(ctx context.Context) (corev1client.PodInterface, error) {
	config, err := c.ServiceAccountConfig(ctx, installation.Namespace, "isolate-sweeper")
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return client.CoreV1().Pods(namespace), nil
}

// deleteBare returns how many pods per second the bare client deletes. The same watch
// counts the deletions as for the sweeper.
func (b *bench) deleteBare(c *cluster, bare corev1client.PodInterface, n, workers int) (rate float64, err error) {
	gone, err := b.watchDeletions(c, n)
	if err != nil {
		return 0, err
	}
	defer gone.stop()
	pods, err := b.expiring(c, n, time.Now().Add(time.Hour))
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = many(b.ctx, workers, n, func(ctx context.Context, i int) error {
		return bare.Delete(ctx, pods[i].Name, metav1.DeleteOptions{})
	})
	if err != nil {
		return 0, err
	}
	last, err := gone.last(b.ctx, n)
	return float64(n) / last.Sub(start).Seconds(), err
}

// sweep returns how many pods per second the sweeper deletes, counted from their common
// expiry, and how many requests for pods the API server got meanwhile.
func (b *bench) sweep(c *cluster, n int) (rate, requests float64, err error) {
	sweeper, err := c.isolate.StartSweeper(b.ctx, "--leader-elect=false")
	if err != nil {
		return 0, 0, err
	}
	defer sweeper.Kill()
	gone, err := b.watchDeletions(c, n)
	if err != nil {
		return 0, 0, err
	}
	defer gone.stop()
	due := time.Now().Add(time.Duration(n/200+5) * time.Second).Truncate(time.Second)
	if _, err := b.expiring(c, n, due); err != nil {
		return 0, 0, err
	}
	if time.Now().After(due) {
		return 0, 0, fmt.Errorf("creating %d pods took %s too long: they had expired", n, time.Since(due))
	}
	before, err := c.requests(b.ctx, "pods")
	if err != nil {
		return 0, 0, err
	}
	last, err := gone.last(b.ctx, n)
	if err != nil {
		return 0, 0, err
	}
	after, err := c.requests(b.ctx, "pods")
	return float64(n) / last.Sub(due).Seconds(), after - before, err
}

// requests returns the number of requests for a resource, without watches.
func (c *cluster) requests(ctx context.Context, resource string) (float64, error) {
	m, err := c.measures(ctx)
	const name = "apiserver_request_total"
	return m.sum(name, "resource", resource) - m.sum(name, "resource", resource, "verb", "WATCH"), err
}
