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
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/installation"
)

// together measures how fast the sweeper deletes pods that expire in the same second,
// compared to a client that only deletes, and to one that also watches their metadata, as a
// controller must.
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
	var own, blind, watching, requests figures.Sample
	measures := []func() error{
		func() error {
			rate, asked, err := b.sweep(c, n)
			own, requests = append(own, rate), append(requests, asked/float64(n))
			return err
		},
		func() error {
			rate, err := b.deleteBare(c, bare, n, best)
			blind = append(blind, rate)
			return err
		},
		func() error {
			stop, err := b.watchMetadata(bare)
			if err != nil {
				return err
			}
			defer stop()
			rate, err := b.deleteBare(c, bare, n, best)
			watching = append(watching, rate)
			return err
		},
	}
	for round := range b.size(6, 1) {
		for i := range measures {
			if err := measures[(i+round)%len(measures)](); err != nil {
				return err
			}
		}
	}
	what := fmt.Sprintf("%d pods that expire in the same second", n)
	b.add(figures.Figure{What: what, Value: own, Control: fmt.Sprintf("a bare client, %d workers (the best number)", best),
		ControlValue: blind, Unit: figures.PerSecond, Goal: figures.AtLeast(0.95)})
	b.add(figures.Figure{What: what, Value: own, Control: "the same client that also watches the pods' metadata",
		ControlValue: watching, Unit: figures.PerSecond})
	b.add(figures.Figure{What: "requests about pods a deletion", Value: requests, Control: "the bare client",
		ControlValue: figures.Sample{1}, Goal: figures.ValueAtMost(1, figures.Count)})
	return nil
}

// bestWorkers returns the number of workers with which a bare client deletes fastest.
func (b *bench) bestWorkers(c *cluster, bare bareClient) (int, error) {
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

// bareClient only deletes. It uses the sweeper's ServiceAccount, because an administrator's
// requests cost less authorization, and the cheapest encoding.
type bareClient struct {
	pods     corev1client.PodInterface
	metadata metadata.Interface
}

func (c *cluster) bareClient(ctx context.Context) (bareClient, error) {
	config, err := c.ServiceAccountConfig(ctx, installation.Namespace, "isolate-sweeper")
	if err != nil {
		return bareClient{}, err
	}
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return bareClient{}, err
	}
	forMetadata, err := metadata.NewForConfig(metadata.ConfigFor(config))
	return bareClient{client.CoreV1().Pods(namespace), forMetadata}, err
}

// watchMetadata keeps the metadata of the quarantined pods in memory until it is stopped.
func (b *bench) watchMetadata(bare bareClient) (stop func(), err error) {
	ctx, cancel := context.WithCancel(b.ctx)
	informer := metadatainformer.NewFilteredMetadataInformer(bare.metadata, corev1.SchemeGroupVersion.WithResource("pods"), namespace, 0, nil,
		func(options *metav1.ListOptions) { options.LabelSelector = quarantine.QuarantinedLabel }).Informer()
	go informer.RunWithContext(ctx)
	return cancel, b.until("the pods' metadata is watched", func(context.Context) bool { return informer.HasSynced() })
}

// deleteBare returns how many pods per second the bare client deletes. The same watch
// counts the deletions as for the sweeper.
func (b *bench) deleteBare(c *cluster, bare bareClient, n, workers int) (rate float64, err error) {
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
		return bare.pods.Delete(ctx, pods[i].Name, metav1.DeleteOptions{})
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
