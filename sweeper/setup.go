package sweeper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	crevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const (
	// A deletion that failed is tried again soon, and, once the API server is back,
	// at once for everyone who waits.
	retryFirst, retryLast = 100 * time.Millisecond, 30 * time.Second

	askTimeout = 10 * time.Second
)

// Options are what the sweeper needs besides a manager. All must be set.
type Options struct {
	// Workers is how many pods are judged, and deleted, at the same time.
	Workers int

	// ServerTime must wrap the manager's rest.Config.
	ServerTime *ServerTime

	// Selectors say what selects a pod, and Changes is told where one has changed.
	Selectors Selectors
	Changes   *Changes

	// Local is this machine's clock.
	Local clock.PassiveClock

	// Elapsed measures how much time has passed, whatever Local is set to.
	Elapsed clock.WithTicker

	// ReplacementTimeout is how long after a quarantine the pod's former controller
	// may be short of pods.
	ReplacementTimeout time.Duration

	// Instance names this replica in events.
	Instance string

	// Metrics is where the sweeper's metrics are registered.
	Metrics prometheus.Registerer
}

// Setup adds the sweeper to a manager whose cache has [CacheOptions].
func Setup(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	events := newPublisher(mgr.GetClient(), options.Local, options.Instance, metrics.untold)
	look := &ignored{live: mgr.GetAPIReader(), clock: options.Elapsed, events: events}
	counted := &census{elected: mgr.Elected(), pods: mgr.GetCache(), local: options.Local, ignored: look}
	if err := options.Metrics.Register(counted); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := errors.Join(mgr.Add(events), mgr.Add(look)); err != nil {
		return err
	}
	if err := checkReady(mgr); err != nil {
		return err
	}
	discover, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client for the API server's time: %w", err)
	}
	pods, err := podClient(mgr)
	if err != nil {
		return err
	}
	clocks := &clocks{local: options.Local, server: options.ServerTime, skew: metrics.skew,
		ask: func(ctx context.Context) error {
			return discover.RESTClient().Get().AbsPath("/version").Timeout(askTimeout).Do(ctx).Error()
		}}
	leakMetrics, err := newLeakMetrics(options.Metrics)
	if err != nil {
		return err
	}
	stepped := newSteps(clocks, options.Elapsed, mgr.GetCache())
	expiry := &expiry{reader: mgr.GetCache(), writer: pods, local: options.Local, clocks: clocks,
		metrics: metrics, events: events, releases: newReleases(mgr.GetAPIReader(), events)}
	leaks := &leaks{reader: mgr.GetCache(), writer: mgr.GetClient(), selectors: options.Selectors,
		clock: options.Local, events: events, metrics: leakMetrics}
	announcements := &announcements{reader: mgr.GetCache(), selectors: options.Selectors, local: options.Local, events: events}
	replacements := &replacements{reader: mgr.GetCache(), live: mgr.GetAPIReader(), selectors: options.Selectors,
		local: options.Local, events: events, timeout: options.ReplacementTimeout, gauge: metrics.missing}
	return errors.Join(
		follow(mgr, "expiry", options.Workers, expiry, nil, stepped),
		follow(mgr, "leaks", options.Workers, leaks, leaks.forget, &woken{changes: options.Changes, pods: mgr.GetCache()}),
		follow(mgr, "announcements", 1, announcements, func(types.NamespacedName) {}, stepped),
		follow(mgr, "replacements", 1, replacements, replacements.forget, stepped),
	)
}

// podClient is for deletions. The manager's client decodes the whole pod that a
// deletion answers with, encodes it again, and decodes that.
func podClient(mgr manager.Manager) (corev1client.PodsGetter, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := corev1client.NewForConfigAndClient(config, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making a client for deletions: %w", err)
	}
	return client, nil
}

// follow has a reconciler called for every quarantined pod that appears or changes,
// and for those that the sources wake. Of pods that have gone, gone is told, which
// costs less when thousands go together; the reconciler is called if that is nil.
func follow(mgr manager.Manager, name string, workers int, reconciler reconcile.Reconciler, gone func(types.NamespacedName), sources ...source.Source) error {
	left := predicate.Funcs{DeleteFunc: func(e crevent.DeleteEvent) bool {
		if gone != nil {
			gone(client.ObjectKeyFromObject(e.Object))
		}
		return gone == nil
	}}
	following := builder.ControllerManagedBy(mgr).
		Named(name).
		For(newPod(), builder.WithPredicates(left)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers, RateLimiter: backoff(),
			// No pod comes before another, and a plain queue takes less of the CPU.
			UsePriorityQueue: new(false),
		}).
		WithLogConstructor(logs(mgr))
	for _, s := range sources {
		following = following.WatchesRawSource(s)
	}
	return following.Complete(reconciler)
}

func backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryLast)
}

// logs name the pod in every line.
func logs(mgr manager.Manager) func(*reconcile.Request) logr.Logger {
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return mgr.GetLogger()
		}
		return mgr.GetLogger().WithValues("namespace", request.Namespace, "pod", request.Name)
	}
}

// checkReady has every replica read the pods, and say that it is ready once it
// has: the one that takes over then begins at once.
func checkReady(mgr manager.Manager) error {
	pods, err := mgr.GetCache().GetInformer(context.Background(), newPod(), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching quarantined pods: %w", err)
	}
	return mgr.AddReadyzCheck("pods", func(*http.Request) error {
		if !pods.HasSynced() {
			return errNotSynced
		}
		return nil
	})
}
