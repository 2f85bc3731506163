package sweeper

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"isolate.example.io/clocks"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper"
	"isolate.example.io/sweeper/quarantinedpods"
	"isolate.example.io/test/framework/faketime"
)

// lease is the lease duration in these tests.
const lease = 3 * time.Second

// running is a sweeper that runs in one namespace.
type running struct {
	network *network
	local   *faketime.Clock
	ticker  *faketime.Ticker
	metrics *prometheus.Registry

	selectors *selectors.Index

	withoutWait bool

	elected <-chan struct{}
	ended   chan struct{}
	cancel  context.CancelFunc
}

// start runs a sweeper in a namespace until the test ends. Its one worker takes the pods
// in the order of their changes; see [waitReconciled].
func start(t *testing.T, namespace string, prepare ...func(*running, *manager.Options)) *running {
	t.Helper()
	r := &running{
		network: &network{},
		local:   &faketime.Clock{},
		ticker:  &faketime.Ticker{Ticks: make(chan time.Time)},
		metrics: prometheus.NewRegistry(),

		selectors: selectors.NewIndex(),

		ended: make(chan struct{}),
	}
	options := manager.Options{
		Cache:      quarantinedpods.CacheOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true), MaxConcurrentReconciles: 1},
	}
	options.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	ageCreation(&options.Cache)
	for _, p := range prepare {
		p(r, &options)
	}
	serverTime := clocks.NewServerTime(clock.RealClock{})
	rest := unlimited(server.Config)
	rest.Wrap(func(next http.RoundTripper) http.RoundTripper { return &link{next, r.network} })
	rest.Wrap(serverTime.Wrap)
	mgr, err := manager.New(rest, options)
	require.NoError(t, err)
	_, err = sweeper.Setup(mgr, sweeper.Options{
		Workers:            options.Controller.MaxConcurrentReconciles,
		ReplacementTimeout: time.Minute,
		ServerTime:         serverTime,
		Selectors:          r.selectors,
		Local:              r.local,
		Elapsed:            r.ticker,
		Metrics:            r.metrics,
	})
	require.NoError(t, err)
	r.elected = mgr.Elected()
	r.run(t, mgr)
	if !options.LeaderElection && !r.withoutWait {
		// Pods from before the start may be reconciled after later ones.
		waitReconciled(t, namespace)
	}
	return r
}

// ageCreation makes the pods in the cache look a day older: the API server sets their
// creationTimestamp, and most of these pods have expired before it.
func ageCreation(options *cache.Options) {
	for object, pods := range options.ByObject {
		transform := pods.Transform
		pods.Transform = func(object any) (any, error) {
			object, err := transform(object)
			if pod, ok := object.(*metav1.PartialObjectMetadata); ok {
				pod.CreationTimestamp.Time = pod.CreationTimestamp.Add(-24 * long)
			}
			return object, err
		}
		options.ByObject[object] = pods
	}
}

// realCreation undoes [ageCreation], so that [waitReconciled] does not work.
func realCreation(r *running, options *manager.Options) {
	r.withoutWait = true
	options.Cache.ByObject = quarantinedpods.CacheOptions().ByObject
}

func (r *running) run(t *testing.T, mgr manager.Manager) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		if err := mgr.Start(ctx); err != nil && ctx.Err() == nil {
			t.Logf("the sweeper failed: %v", err)
		}
	}()
	t.Cleanup(r.stop)
}

// stop stops the sweeper as SIGTERM does, and waits until it has stopped.
func (r *running) stop() {
	r.cancel()
	<-r.ended
}

func workers(n int) func(*running, *manager.Options) {
	return func(_ *running, options *manager.Options) { options.Controller.MaxConcurrentReconciles = n }
}

// replica makes the sweeper take part in the leader election of a namespace.
func replica(namespace string) func(*running, *manager.Options) {
	return func(_ *running, options *manager.Options) {
		options.LeaderElection = true
		options.LeaderElectionID = "isolate-sweeper"
		options.LeaderElectionNamespace = namespace
		options.LeaderElectionReleaseOnCancel = true
		options.LeaseDuration = new(lease)
		options.RenewDeadline = new(lease * 2 / 3)
		options.RetryPeriod = new(lease / 10)
	}
}

func localClock(ahead time.Duration) func(*running, *manager.Options) {
	return func(r *running, _ *manager.Options) { r.local.Set(ahead) }
}

func serverClock(ahead time.Duration) func(*running, *manager.Options) {
	return func(r *running, _ *manager.Options) { r.network.setServerClock(ahead) }
}

// waitReconciled waits until the sweeper has reconciled all earlier changes of the
// namespace's pods. It creates an expired pod and waits for its deletion: the one worker
// takes that pod last.
func waitReconciled(t *testing.T, namespace string) {
	t.Helper()
	pod := newPod(namespace, "")
	pod.GenerateName = "last-"
	require.NoError(t, admin.Create(t.Context(), pod))
	waitGone(t, pod)
}

// metric returns a gauge or counter of the sweeper, summed over its labels.
func (r *running) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	var sum float64
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
