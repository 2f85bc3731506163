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

// together measures how fast pods are deleted that expire in the same second, beside
// a client that does nothing but delete.
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
		Unit: figures.PerSecond, Goal: figures.AtLeast(0.9)})
	b.add(figures.Figure{What: "requests about pods a deletion", Value: requests, Control: "the bare client",
		ControlValue: figures.Sample{1}, Goal: figures.ValueAtMost(1, figures.Count)})
	return nil
}

// bestWorkers tries with how many workers a bare client deletes the fastest.
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

// expiring creates pods that expire at one moment.
func (b *bench) expiring(c *cluster, n int, at time.Time) ([]*corev1.Pod, error) {
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		pods[i] = quarantined(plainPod(fmt.Sprintf("same-%d-%d", at.UnixNano(), i)), at)
	}
	return pods, b.createPods(c, pods)
}

// bareClient is who deletes and does nothing else: as whom the sweeper does, since an
// administrator is asked for less, and in the encoding that costs the least.
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

// deleteBare is how many pods a second a client deletes that does nothing else. What
// is gone is seen by the same watch as where the sweeper deletes.
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

// sweep is how many pods a second the sweeper deletes that expire together, from
// their time on, and how many requests about pods the API server got meanwhile.
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

// requests is how many requests about a resource the API server has had, watches
// left out.
func (c *cluster) requests(ctx context.Context, resource string) (float64, error) {
	m, err := c.measures(ctx)
	const name = "apiserver_request_total"
	return m.sum(name, "resource", resource) - m.sum(name, "resource", resource, "verb", "WATCH"), err
}
