package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"isolate.example.io/quarantine"
)

// deletions are the deletions of quarantined pods that an informer sees. An informer
// survives when an overloaded API server closes a watch.
type deletions struct {
	seen   chan deletion
	cancel context.CancelFunc
}

type deletion struct {
	pod  string
	when time.Time
}

// watchDeletions watches deletions from now on and buffers up to that many.
func (b *bench) watchDeletions(c *cluster, expected int) (*deletions, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	d := &deletions{seen: make(chan deletion, expected+loaders), cancel: cancel}
	pods := c.client.CoreV1().Pods(namespace)
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				options.LabelSelector = quarantine.QuarantinedLabel
				return pods.List(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				options.LabelSelector = quarantine.QuarantinedLabel
				return pods.Watch(ctx, options)
			},
		},
		ObjectType: &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{DeleteFunc: func(object any) {
			if missed, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = missed.Obj
			}
			if pod, ok := object.(*corev1.Pod); ok {
				select {
				case d.seen <- deletion{pod.Name, time.Now()}:
				case <-ctx.Done():
				}
			}
		}},
	})
	go controller.RunWithContext(ctx)
	return d, b.until("deletions are followed", func(context.Context) bool { return controller.HasSynced() })
}

func (d *deletions) stop() { d.cancel() }

// next returns the next deleted pod and when its deletion was seen.
func (d *deletions) next(ctx context.Context) (pod string, when time.Time, err error) {
	select {
	case deleted := <-d.seen:
		return deleted.pod, deleted.when, nil
	case <-time.After(patience):
		return "", time.Time{}, fmt.Errorf("no pod was deleted for %s", patience)
	case <-ctx.Done():
		return "", time.Time{}, ctx.Err()
	}
}

// last returns when the last of n deletions was seen.
func (d *deletions) last(ctx context.Context, n int) (when time.Time, err error) {
	for range n {
		if _, when, err = d.next(ctx); err != nil {
			return when, err
		}
	}
	return when, nil
}
