package certs

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// A step that failed is taken again soon, and then ever later.
const retryFirst, retryLast = 100 * time.Millisecond, 30 * time.Second

// Options are what the self-signed authority needs besides a manager. All must
// be set.
type Options struct {
	Settings

	// Namespace is that of the Secrets.
	Namespace string

	// Clock is this machine's, and Ahead by how much the API server's was certainly
	// ahead of it at its last answer.
	Clock clock.PassiveClock
	Ahead func() time.Duration

	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

// Setup adds the self-signed authority to a manager. The leader alone runs it.
func Setup(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	kube, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	authority := builder.ControllerManagedBy(mgr).Named("certificates")
	secrets, configurations := kube.CoreV1().RESTClient(), kube.AdmissionregistrationV1().RESTClient()
	for _, informer := range []cache.SharedIndexInformer{
		watch(secrets, "secrets", options.Namespace, CASecret, &corev1.Secret{}),
		watch(secrets, "secrets", options.Namespace, ServingSecret, &corev1.Secret{}),
		watch(configurations, "mutatingwebhookconfigurations", "", Configuration, &admissionregistrationv1.MutatingWebhookConfiguration{}),
	} {
		if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			informer.RunWithContext(ctx)
			return nil
		})); err != nil {
			return err
		}
		authority.WatchesRawSource(&source.Informer{Informer: informer, Handler: handler.EnqueueRequestsFromMapFunc(theOne)})
	}
	return authority.
		WatchesRawSource(source.Func(atStart)).
		WithOptions(controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryLast)}).
		Complete(&selfSigned{
			client: kube, namespace: options.Namespace, settings: options.Settings, clock: options.Clock, ahead: options.Ahead,
			events: mgr.GetEventRecorder("isolate-sweeper"), metrics: metrics,
		})
}

// atStart has the objects looked at even if there is none of them yet.
func atStart(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	queue.Add(request)
	return nil
}

// request is the one there is: the three objects are looked at together.
var request = reconcile.Request{NamespacedName: types.NamespacedName{Name: "certificates"}}

func theOne(context.Context, client.Object) []reconcile.Request { return []reconcile.Request{request} }

// watch follows the one object of that name: RBAC can allow to watch no other.
func watch(client cache.Getter, resource, namespace, name string, kind runtime.Object) cache.SharedIndexInformer {
	return cache.NewSharedIndexInformer(
		cache.NewListWatchFromClient(client, resource, namespace, fields.OneTermEqualSelector("metadata.name", name)),
		kind, 0, cache.Indexers{})
}
