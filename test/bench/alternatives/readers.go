package alternatives

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"isolate.example.io/quarantine"
)

// PollInterval is the poller's interval, typical for cleanup jobs.
const PollInterval = 30 * time.Second

// pollWorkers is the number of concurrent deletions of the poller.
const pollWorkers = 32

// addControllers makes the manager cache the selecting kinds, like controller-runtime's
// client does.
func addControllers(mgr manager.Manager, _ options) error {
	return hold(mgr,
		&corev1.Service{}, &corev1.ReplicationController{}, &appsv1.ReplicaSet{}, &appsv1.StatefulSet{},
		&appsv1.DaemonSet{}, &batchv1.Job{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	)
}

func addPods(mgr manager.Manager, _ options) error { return hold(mgr, &corev1.Pod{}) }

// SyncedMetric is 1 once the caches are synced.
const SyncedMetric = "synced"

func hold(mgr manager.Manager, objects ...client.Object) error {
	synced := prometheus.NewGauge(prometheus.GaugeOpts{Name: SyncedMetric, Help: "Whether everything is read."})
	metrics.Registry.MustRegister(synced)
	return mgr.Add(runnable(func(ctx context.Context) error {
		for _, object := range objects {
			if _, err := mgr.GetCache().GetInformer(ctx, object); err != nil {
				return err
			}
		}
		synced.Set(1)
		<-ctx.Done()
		return nil
	}))
}

func addPoller(mgr manager.Manager, _ options) error {
	return mgr.Add(runnable(func(ctx context.Context) error {
		ticker := time.NewTicker(PollInterval)
		defer ticker.Stop()
		for {
			if err := poll(ctx, mgr.GetAPIReader(), mgr.GetClient()); err != nil && ctx.Err() == nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
		}
	}))
}

func poll(ctx context.Context, reader client.Reader, writer client.Writer) error {
	pods := &corev1.PodList{}
	if err := reader.List(ctx, pods, client.MatchingLabels{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(pollWorkers)
	for i := range pods.Items {
		pod := &pods.Items[i]
		status := quarantine.StatusOf(pod.Labels, pod.Annotations)
		if status.State == quarantine.Quarantined && !status.Held && !status.ExpiresAt.After(time.Now()) {
			group.Go(func() error { return client.IgnoreNotFound(writer.Delete(ctx, pod)) })
		}
	}
	return group.Wait()
}
