package sweeper

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	crcache "sigs.k8s.io/controller-runtime/pkg/cache"

	"isolate.example.io/test/framework/waiting"
)

// deletions records when each pod of a namespace was deleted. A deletionTimestamp counts:
// the API server removes a pod without a node in a second step, which is lost if the
// requester is killed in between. In a cluster, the pod garbage collector then removes the
// pod.
type deletions struct {
	mu   sync.Mutex
	when map[string]time.Time
	news chan struct{}
}

// watchDeletions watches until the test ends. It uses an informer, because an API server
// under load ends the watch of a client that does not keep up.
func watchDeletions(t testing.TB, namespace string) *deletions {
	t.Helper()
	d := &deletions{when: map[string]time.Time{}, news: make(chan struct{}, 1)}
	pods, err := crcache.New(unlimited(server.Config), crcache.Options{DefaultNamespaces: map[string]crcache.Config{namespace: {}}})
	require.NoError(t, err)
	kind := &metav1.PartialObjectMetadata{}
	kind.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	informer, err := pods.GetInformer(t.Context(), kind, crcache.BlockUntilSynced(false))
	require.NoError(t, err)
	see := func(object any, deleted bool) {
		if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = unknown.Obj
		}
		if pod, ok := object.(metav1.Object); ok && (deleted || pod.GetDeletionTimestamp() != nil) {
			d.note(pod.GetName(), time.Now())
		}
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(pod any) { see(pod, false) },
		UpdateFunc: func(_, pod any) { see(pod, false) },
		DeleteFunc: func(pod any) { see(pod, true) },
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = pods.Start(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	require.True(t, pods.WaitForCacheSync(t.Context()))
	return d
}

func (d *deletions) note(pod string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.when[pod]; known {
		return
	}
	d.when[pod] = now
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// wait returns when n pods with the prefix have been deleted.
func (d *deletions) wait(t testing.TB, n int, prefix string) map[string]time.Time {
	t.Helper()
	deadline := time.After(waiting.Patience)
	for {
		if gone := d.with(prefix); len(gone) >= n {
			return gone
		}
		select {
		case <-d.news:
		case <-deadline:
			t.Fatalf("waited %s for %d pods to be deleted, but %d were", waiting.Patience, n, len(d.with(prefix)))
		}
	}
}

func (d *deletions) with(prefix string) map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := maps.Clone(d.when)
	maps.DeleteFunc(gone, func(pod string, _ time.Time) bool { return !strings.HasPrefix(pod, prefix) })
	return gone
}
