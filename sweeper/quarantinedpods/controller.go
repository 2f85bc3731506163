package quarantinedpods

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// A reconcile that failed is retried soon and then less and less often, but often enough
// that all pods are handled quickly once the API server is back.
const firstRetry, lastRetry = 100 * time.Millisecond, 30 * time.Second

// queue is the queue of a controller.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// AddController runs a reconciler for every quarantined pod that appears or changes, and
// for the pods that the sources enqueue. onGone is called with the last known state of each
// pod that was deleted or released, on the goroutine of the cache; it must not block.
// (Reconciling them instead takes a worker for each when thousands expire together.)
func AddController(mgr manager.Manager, name string, workers int, reconciler reconcile.Reconciler,
	onGone func(pod *metav1.PartialObjectMetadata), sources ...source.Source,
) error {
	pods := builder.ControllerManagedBy(mgr).
		Named(name).
		Watches(New(), handlerOf(onGone)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
			// No pod goes before another, and a plain queue needs less CPU.
			UsePriorityQueue: new(false),
		}).
		WithLogConstructor(logConstructor(mgr))
	for _, s := range sources {
		pods = pods.WatchesRawSource(s)
	}
	return pods.Complete(reconciler)
}

func handlerOf(onGone func(*metav1.PartialObjectMetadata)) handler.EventHandler {
	enqueue := func(object client.Object, q queue) {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)})
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { enqueue(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { enqueue(e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) {
			if pod, ok := e.Object.(*metav1.PartialObjectMetadata); ok {
				onGone(pod)
			}
		},
	}
}

// logConstructor returns a logger that names the pod in every line.
func logConstructor(mgr manager.Manager) func(*reconcile.Request) logr.Logger {
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return mgr.GetLogger()
		}
		return mgr.GetLogger().WithValues("pod", klog.KRef(request.Namespace, request.Name))
	}
}
