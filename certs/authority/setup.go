package authority

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

// Bounds of the exponential backoff after a failed step.
const minBackoff, maxBackoff = 100 * time.Millisecond, 30 * time.Second

// Event is an event about one of the authority's Secrets.
type Event struct {
	// Secret is what the event is about.
	Secret *corev1.Secret

	// Type is [corev1.EventTypeNormal] or [corev1.EventTypeWarning].
	Type string

	// Reason is one CamelCase word, and Note a sentence.
	Reason, Note string
}

// Options are what the authority needs in addition to a manager. All are required.
type Options struct {
	Config

	// Namespace is where the Secrets are.
	Namespace string

	// Clock is this machine's clock. Ahead returns how far the API server's clock was ahead of
	// it at least at the last response, negative if behind.
	Clock clock.PassiveClock
	Ahead func() time.Duration

	// Publish publishes an event. It must not block.
	Publish func(context.Context, Event)

	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

// Setup adds the authority to a manager. Only the leader runs it.
func Setup(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return fmt.Errorf("registering the metrics of certificates: %w", err)
	}
	kube, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("creating a client for certificates: %w", err)
	}
	b := builder.ControllerManagedBy(mgr).Named("certificates")
	secrets, configurations := kube.CoreV1().RESTClient(), kube.AdmissionregistrationV1().RESTClient()
	for _, informer := range []cache.SharedIndexInformer{
		newInformer(secrets, "secrets", options.Namespace, CASecret, &corev1.Secret{}),
		newInformer(secrets, "secrets", options.Namespace, ServingSecret, &corev1.Secret{}),
		newInformer(configurations, "mutatingwebhookconfigurations", "", Configuration, &admissionregistrationv1.MutatingWebhookConfiguration{}),
		newInformer(configurations, "validatingwebhookconfigurations", "", Configuration, &admissionregistrationv1.ValidatingWebhookConfiguration{}),
	} {
		if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			informer.RunWithContext(ctx)
			return nil
		})); err != nil {
			return err
		}
		b.WatchesRawSource(sourceOf(informer))
	}
	return b.
		WithOptions(controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minBackoff, maxBackoff)}).
		Complete(&reconciler{
			client: kube, namespace: options.Namespace, config: options.Config, clock: options.Clock, ahead: options.Ahead,
			publish: options.Publish, metrics: metrics,
		})
}

// singleton is the only request: the Secrets and the configurations are reconciled together.
var singleton = reconcile.Request{NamespacedName: types.NamespacedName{Name: "certificates"}}

func mapToSingleton(context.Context, client.Object) []reconcile.Request {
	return []reconcile.Request{singleton}
}

// sourceOf enqueues a reconcile once the informer has read its object, whether that exists or
// not, and at each change after that. The controller does not wait for the informers: an
// object that is deleted after a reconcile and before it is watched causes no event.
func sourceOf(informer cache.SharedIndexInformer) source.Func {
	return func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go func() {
			if cache.WaitFor(ctx, "", informer.HasSyncedChecker()) {
				queue.Add(singleton)
			}
		}()
		changes := source.Informer{Informer: informer, Handler: handler.EnqueueRequestsFromMapFunc(mapToSingleton)}
		return changes.Start(ctx, queue)
	}
}

// newInformer watches one object by name: RBAC does not allow the sweeper to watch others.
func newInformer(client cache.Getter, resource, namespace, name string, kind runtime.Object) cache.SharedIndexInformer {
	return cache.NewSharedIndexInformer(
		cache.NewListWatchFromClient(client, resource, namespace, fields.OneTermEqualSelector("metadata.name", name)),
		kind, 0, cache.Indexers{})
}
