package authority

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// The first reconcile saw the Secret, the watch that begins later has none.
func TestASecretThatIsDeletedBeforeItIsWatchedIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := watch.NewFake()
		informer := cache.NewSharedIndexInformer(&cache.ListWatch{
			WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) { return events, nil },
		}, &corev1.Secret{}, 0, cache.Indexers{})
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		t.Cleanup(queue.ShutDown)
		require.NoError(t, sourceOf(informer)(t.Context(), queue))
		go informer.RunWithContext(t.Context())
		synctest.Wait()
		require.Zero(t, queue.Len())
		events.Action(watch.Bookmark, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
		synctest.Wait()
		require.Equal(t, 1, queue.Len())
	})
}
