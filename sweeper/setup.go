package sweeper

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"isolate.example.io/clocks"
	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper/clocksteps"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/expiration"
	"isolate.example.io/sweeper/leakguard"
	"isolate.example.io/sweeper/podevents"
	"isolate.example.io/sweeper/quarantinedpods"
	"isolate.example.io/sweeper/replacement"
	"isolate.example.io/sweeper/startupscan"
)

// Options are what the caller of [Setup] chooses.
type Options struct {
	// Workers is how many pods are deleted at the same time.
	Workers int

	// ReplacementTimeout is how long after a quarantine the pod's former controller may be
	// short of pods.
	ReplacementTimeout time.Duration

	// SelectingResources are custom resources that select or manage pods.
	SelectingResources []selectors.Resource

	// ServerTime must wrap the manager's rest.Config.
	ServerTime *clocks.ServerTime

	// The following fields are for tests.

	// Selectors knows what selects a pod. If it is nil, the API server is watched.
	Selectors Selectors

	// Local is this machine's clock, and Elapsed measures how much time has passed,
	// whatever Local is set to. If they are nil, both are the real clock.
	Local   clock.PassiveClock
	Elapsed clock.WithTicker

	// Metrics is where the metrics are registered, the manager's registry if it is nil.
	Metrics prometheus.Registerer

	// known waits until what selects pods is known. It is nil if Selectors is set.
	known startupscan.Source
}

// Selectors knows what selects a pod.
type Selectors interface {
	// Namespace returns the selectors of a namespace. It fails while they could be
	// incomplete.
	Namespace(name string) (quarantine.Selectors, error)
}

// reportingController is the same for every event of the sweeper.
const reportingController = "isolate.example.io/sweeper"

// Setup adds the sweeper to a manager whose cache has [quarantinedpods.CacheOptions]. It
// returns where other parts of the program publish events, so that all of isolate's
// events take the same path.
func Setup(mgr manager.Manager, options Options) (events.Publisher, error) {
	options.setDefaults()
	changes := leakguard.NewChanges()
	if options.Selectors == nil {
		watcher, err := watchSelectors(mgr, options, changes.Add)
		if err != nil {
			return nil, err
		}
		options.Selectors, options.known = watcher, watcher
	}
	deleted := deletions.NewTracker()
	client, err := deletions.NewClient(mgr)
	if err != nil {
		return nil, err
	}
	both, err := clocks.New(options.Local, options.ServerTime, client.AskTime, options.Metrics)
	if err != nil {
		return nil, err
	}
	recorder, err := newRecorder(mgr, options, both, deleted)
	if err != nil {
		return nil, err
	}
	return recorder, errors.Join(
		mgr.Add(recorder),
		quarantinedpods.AddReadyzCheck(mgr),
		quarantinedpods.RegisterMetrics(mgr.GetCache(), mgr.Elected(), both, options.Metrics),
		addControllers(mgr, options, client, both, recorder, deleted, changes),
	)
}

func (o *Options) setDefaults() {
	if o.Local == nil {
		o.Local = clock.RealClock{}
	}
	if o.Elapsed == nil {
		o.Elapsed = clock.RealClock{}
	}
	if o.Metrics == nil {
		o.Metrics = metrics.Registry
	}
}

func newRecorder(mgr manager.Manager, options Options, clk clock.PassiveClock, gate events.Gate) (*events.Recorder, error) {
	instance, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("looking up the host name for events: %w", err)
	}
	return events.NewRecorder(mgr.GetClient(), clk, events.Reporter{Controller: reportingController, Instance: instance}, gate, options.Metrics)
}

func addControllers(mgr manager.Manager, options Options, client deletions.Client, both *clocks.Clocks,
	publisher events.Publisher, deleted *deletions.Tracker, changes *leakguard.Changes,
) error {
	steps := clocksteps.New(both, options.Local, options.Elapsed, quarantinedpods.Lister(mgr.GetCache()))
	return errors.Join(
		expiration.Add(mgr, expiration.Options{
			Workers: options.Workers, Client: client, Local: options.Local, Clocks: both, Steps: steps,
			Deletions: deleted, Events: publisher, Metrics: options.Metrics,
		}),
		leakguard.Add(mgr, leakguard.Options{
			Selectors: options.Selectors, Changes: changes, Clock: both,
			Events: publisher, Metrics: options.Metrics,
		}),
		podevents.Add(mgr, podevents.Options{
			Selectors: options.Selectors, Clock: both, Elapsed: options.Elapsed, Steps: steps,
			Deletions: deleted, Events: publisher, Metrics: options.Metrics,
		}),
		replacement.Add(mgr, replacement.Options{
			Timeout: options.ReplacementTimeout, Selectors: options.Selectors, Clock: both, Steps: steps,
			Events: publisher, Metrics: options.Metrics,
		}),
		startupscan.Add(mgr, startupscan.Options{
			After: options.known, Elapsed: options.Elapsed, Deletions: deleted, Events: publisher, Metrics: options.Metrics,
		}),
	)
}
