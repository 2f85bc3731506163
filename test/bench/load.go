package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen/workload"
)

// loaders is the number of concurrent writers that create objects.
const loaders = 16

// many calls f concurrently with every number below n.
func many(ctx context.Context, workers, n int, f func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range n {
		group.Go(func() error { return f(ctx, i) })
	}
	return group.Wait()
}

// createApps creates the Services and ReplicaSets of n apps with several revisions.
func (b *bench) createApps(c *cluster, apps, revisions int) error {
	return many(b.ctx, loaders, apps, func(ctx context.Context, i int) error {
		app := workload.App{Namespace: namespace, Number: i}
		if _, err := c.client.CoreV1().Services(namespace).Create(ctx, app.Service(), metav1.CreateOptions{}); ignoreExisting(err) != nil {
			return err
		}
		for revision := range revisions {
			if _, err := c.client.AppsV1().ReplicaSets(namespace).Create(ctx, app.ReplicaSet(revision+1), metav1.CreateOptions{}); ignoreExisting(err) != nil {
				return err
			}
		}
		return nil
	})
}

// ignoreExisting ignores AlreadyExists errors.
func ignoreExisting(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// crew creates pods of existing apps, owned by their ReplicaSets.
type crew struct {
	bench   *bench
	cluster *cluster
	apps    int
	made    int
	owners  map[string]types.UID
}

// create creates n pods and returns their names.
func (w *crew) create(n int, change func(i int, pod *corev1.Pod)) ([]string, error) {
	names := make([]string, n)
	pods := make([]*corev1.Pod, n)
	for i := range n {
		w.made++
		pods[i] = workload.App{Namespace: namespace, Number: rand.IntN(w.apps)}.Pod(fmt.Sprintf("pod-%06d", w.made))
		owner := &pods[i].OwnerReferences[0]
		uid, err := w.owner(owner.Name)
		if err != nil {
			return nil, err
		}
		owner.UID = uid
		if change != nil {
			change(i, pods[i])
		}
	}
	for i := range pods {
		names[i] = pods[i].Name
	}
	return names, many(w.bench.ctx, loaders, n, func(ctx context.Context, i int) error {
		created, err := w.cluster.client.CoreV1().Pods(namespace).Create(ctx, pods[i], metav1.CreateOptions{})
		if err != nil {
			return err
		}
		_, err = w.cluster.client.CoreV1().Pods(namespace).UpdateStatus(ctx, workload.Run(created), metav1.UpdateOptions{})
		return err
	})
}

func (w *crew) owner(name string) (types.UID, error) {
	if uid, known := w.owners[name]; known {
		return uid, nil
	}
	found, err := w.cluster.client.AppsV1().ReplicaSets(namespace).Get(w.bench.ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if w.owners == nil {
		w.owners = map[string]types.UID{}
	}
	w.owners[name] = found.UID
	return found.UID, nil
}

// quarantined gives a pod a record with this expiry, and labels that nothing selects.
func quarantined(pod *corev1.Pod, expires time.Time) *corev1.Pod {
	pod.OwnerReferences = nil
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	for key, value := range pod.Labels {
		pod.Labels[key] = "quarantined-" + value
	}
	pod.Labels[quarantine.QuarantinedLabel] = quarantine.QuarantinedValue
	maps.Copy(pod.Annotations, map[string]string{
		quarantine.TriggerKey:       quarantine.True,
		quarantine.QuarantinedAtKey: time.Now().UTC().Format(time.RFC3339),
		quarantine.ExpiresAtKey:     expires.UTC().Format(time.RFC3339),
		quarantine.QuarantinedByKey: "jane@example.com",
		quarantine.RecordKey:        "{}",
	})
	return pod
}

// annotate sets an annotation like kubectl and returns the duration in milliseconds.
func (c *cluster) annotate(ctx context.Context, pod, key, value string) (float64, error) {
	return c.patch(ctx, pod, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value))
}

func (c *cluster) patch(ctx context.Context, pod, patch string, subresources ...string) (float64, error) {
	request := c.client.CoreV1().RESTClient().Patch(types.MergePatchType).Namespace(namespace).
		Resource("pods").Name(pod).SubResource(subresources...).Body([]byte(patch))
	start := time.Now()
	err := request.Do(ctx).Error()
	return milliseconds(time.Since(start)), err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
