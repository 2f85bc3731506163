package expiration

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/clocks"
	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

// slowCluster is a cluster with many pods whose API server takes a while for each request.
// Each pod named conflict-... changes just before its first deletion.
type slowCluster struct {
	client.Reader
	takes time.Duration

	mu   sync.Mutex
	pods map[string]*metav1.PartialObjectMetadata
	sent map[string]time.Time // the last DELETE of each pod
}

// Get reads from the cache.
func (c *slowCluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pod, ok := c.pods[key.Name]
	if !ok {
		return apierrors.NewNotFound(resource, key.Name)
	}
	pod.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

// List reads one pod from the API server.
func (c *slowCluster) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	<-time.After(c.takes)
	var selected client.ListOptions
	selected.ApplyOptions(options)
	name, _ := selected.FieldSelector.RequiresExactMatch("metadata.name")
	c.mu.Lock()
	defer c.mu.Unlock()
	if pod, ok := c.pods[name]; ok {
		into.(*metav1.PartialObjectMetadataList).Items = []metav1.PartialObjectMetadata{*pod.DeepCopy()}
	}
	return nil
}

// Pods implements [corev1client.PodsGetter].
func (c *slowCluster) Pods(string) corev1client.PodInterface { return slowDeleter{cluster: c} }

type slowDeleter struct {
	corev1client.PodInterface
	cluster *slowCluster
}

func (d slowDeleter) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	c := d.cluster
	c.mu.Lock()
	pod, known := c.pods[name]
	_, again := c.sent[name]
	c.sent[name] = time.Now()
	if known && !again && strings.HasPrefix(name, "conflict-") {
		pod.ResourceVersion = "8"
	}
	c.mu.Unlock()
	<-time.After(c.takes)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !known:
		return apierrors.NewNotFound(resource, name)
	case *options.Preconditions.ResourceVersion != pod.ResourceVersion:
		return conflict
	}
	delete(c.pods, name)
	return nil
}

func (c *slowCluster) Publish(events.Event) {}

// run has workers reconcile what is enqueued, until the queue is shut down.
func (c *slowCluster) run(t *testing.T, workers int, queue workqueue.TypedDelayingInterface[reconcile.Request]) {
	t.Helper()
	cluster := &cluster{} // The API server's clock.
	serverTime := clocks.NewServerTime(clock.RealClock{})
	transport := serverTime.Wrap(cluster)
	registry := prometheus.NewRegistry()
	both, err := clocks.New(clock.RealClock{}, serverTime, func(context.Context) error {
		<-time.After(c.takes)
		cluster.server = time.Now()
		response, err := transport.RoundTrip(nil)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}, registry)
	require.NoError(t, err)
	controller, err := newController(c, Options{
		Client: deletions.Client{Pods: c, Live: c}, Local: clock.RealClock{}, Clocks: both,
		Deletions: deletions.NewTracker(), Events: c, Metrics: registry,
	})
	require.NoError(t, err)
	for range workers {
		go func() {
			for {
				request, stopped := queue.Get()
				if stopped {
					return
				}
				result, err := controller.Reconcile(t.Context(), request)
				if err != nil || result.RequeueAfter > 0 {
					queue.AddAfter(request, result.RequeueAfter)
				}
				queue.Done(request)
			}
		}()
	}
}

// The time of this test is not real, so the result does not depend on the machine: it is
// what the workers make of an API server that takes 100 ms for each request.
func TestDeletionsOnASlowAPIServerAreSentWithinASecond(t *testing.T) {
	const rate, seconds, shippedWorkers = 60, 60, 100
	synctest.Test(t, func(t *testing.T) {
		c := &slowCluster{takes: 100 * time.Millisecond, pods: map[string]*metav1.PartialObjectMetadata{}, sent: map[string]time.Time{}}
		queue := workqueue.NewTypedDelayingQueue[reconcile.Request]()
		defer queue.ShutDown()
		c.run(t, shippedWorkers, queue)
		due := map[string]time.Time{}
		for s := range seconds {
			at := time.Now().Truncate(time.Second).Add(time.Second)
			for i := range rate {
				for _, kind := range []string{"web", "conflict"} {
					name := fmt.Sprintf("%s-%d-%d", kind, s, i)
					pod := gen.Pod(gen.UID(name), gen.Annotation(quarantine.QuarantinedAtKey, at.Add(-time.Hour).UTC().Format(time.RFC3339)),
						gen.Annotation(quarantine.ExpiresAtKey, at.UTC().Format(time.RFC3339)))
					pod.Name, due[name] = name, at
					c.mu.Lock()
					c.pods[name] = pod
					c.mu.Unlock()
					queue.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)}, time.Until(at))
				}
			}
			<-time.After(time.Until(at))
		}
		<-time.After(time.Minute)
		synctest.Wait()
		require.Empty(t, c.pods)
		var lags []time.Duration
		for name, at := range due {
			lags = append(lags, c.sent[name].Sub(at))
		}
		slices.SortFunc(lags, cmp.Compare[time.Duration])
		p99 := lags[len(lags)*99/100]
		t.Logf("%d pods: %s (median), %s (99 %%), %s (last)", len(lags), lags[len(lags)/2], p99, lags[len(lags)-1])
		require.GreaterOrEqual(t, lags[0], time.Duration(0))
		require.Less(t, p99, time.Second)
	})
}
