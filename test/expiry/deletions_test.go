package expiry

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// deletions are the pods of a namespace that were deleted, and when. Some are only
// marked as such: the API server removes a pod without a node in a second step, and
// not if whoever asked is killed between the two. A cluster has a pod garbage
// collector for that.
type deletions struct {
	mu   sync.Mutex
	when map[string]time.Time
	news chan struct{}
}

// watchDeletions watches until the test ends.
func watchDeletions(t *testing.T, namespace string) *deletions {
	t.Helper()
	watcher, err := admin.Watch(t.Context(), &corev1.PodList{}, client.InNamespace(namespace))
	require.NoError(t, err)
	d := &deletions{when: map[string]time.Time{}, news: make(chan struct{}, 1)}
	go func() {
		for event := range watcher.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if ok && (event.Type == watch.Deleted || pod.DeletionTimestamp != nil) {
				d.note(pod.Name, time.Now())
			}
		}
	}()
	t.Cleanup(watcher.Stop)
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
func (d *deletions) wait(t *testing.T, n int, prefix string) map[string]time.Time {
	t.Helper()
	deadline := time.After(patience)
	for {
		if gone := d.with(prefix); len(gone) >= n {
			return gone
		}
		select {
		case <-d.news:
		case <-deadline:
			t.Fatalf("waited %s for %d pods to go, %d have", patience, n, len(d.with(prefix)))
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
