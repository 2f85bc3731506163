package clocksteps

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/clocks"
)

// stepInterval is how often the clocks are compared. A pod can be overdue for so long after
// a clock was set forward.
const stepInterval = 10 * time.Second

// Source is a source of every controller that sleeps until a time. It enqueues all
// objects when a clock was set.
//
// A controller sleeps for the time that was left, and a timer does not follow a clock
// that is set. If the clock goes back, the timer fires early and the object is checked
// again. If the clock goes forward by an hour, the object would sleep an hour too long.
// One ticker compares the time with the elapsed time, for all controllers together.
type Source struct {
	clocks  *clocks.Clocks
	local   clock.PassiveClock
	elapsed clock.WithTicker
	list    func(context.Context) ([]types.NamespacedName, error)

	start, base time.Time     // elapsed and local time at the beginning
	handled     time.Duration // how far the clocks had been set when all objects were last enqueued

	once   sync.Once
	mu     sync.Mutex
	queues []workqueue.TypedRateLimitingInterface[reconcile.Request]
	// seen is how far the local clock and the earlier of both had been set at the last
	// comparison.
	seen [2]time.Duration
}

// New returns a source that enqueues the objects that list returns.
func New(both *clocks.Clocks, local clock.PassiveClock, elapsed clock.WithTicker, list func(context.Context) ([]types.NamespacedName, error)) *Source {
	return &Source{
		clocks: both, local: local, elapsed: elapsed, list: list,
		start: elapsed.Now(),
		base:  local.Now().Round(0), // Without its monotonic reading, which does not step.
	}
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/source.Source]. Each controller
// calls it, and all of them stop together.
func (s *Source) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	s.addQueue(queue)
	s.once.Do(func() { go s.run(ctx) })
	return nil
}

func (s *Source) addQueue(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues = append(s.queues, queue)
}

func (s *Source) run(ctx context.Context) {
	ticker := s.elapsed.NewTicker(stepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		if err := s.check(ctx); err != nil {
			log.FromContext(ctx).Error(err, logUncomparable)
		}
	}
}

// Reconciler returns a reconciler that calls next. If a clock was set since the last
// comparison, the object is reconciled again no later than at the next one: set back right
// before that, the clock would show no step, and an object that was judged while it was a day
// behind would sleep for a day.
func (s *Source) Reconciler(next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		before := s.local.Now()
		result, err := next.Reconcile(ctx, request)
		if result.RequeueAfter > stepInterval && s.wasSet(before, s.local.Now(), s.clocks.Now()) {
			result.RequeueAfter = stepInterval
		}
		return result, err
	})
}

// wasSet reports whether a clock that showed one of these times was set since the last
// comparison.
func (s *Source) wasSet(times ...time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(times, func(now time.Time) bool {
		offset := s.offset(now)
		return !slices.ContainsFunc(s.seen[:], func(seen time.Duration) bool { return (offset - seen).Abs() <= clocks.Tolerance })
	})
}

// offset returns how far a clock that shows this time was set since the beginning.
func (s *Source) offset(now time.Time) time.Duration {
	return now.Sub(s.base) - s.elapsed.Since(s.start)
}

// check enqueues all objects if the clocks were set since it last did so. Small steps add
// up.
func (s *Source) check(ctx context.Context) error {
	now, err := s.clocks.Reached(ctx)
	if err != nil {
		return fmt.Errorf("reading the API server's time: %w", err)
	}
	reached := s.offset(now)
	s.mu.Lock()
	s.seen = [...]time.Duration{s.offset(s.local.Now()), reached}
	s.mu.Unlock()
	step := reached - s.handled
	if step.Abs() <= clocks.Tolerance {
		return nil
	}
	log.FromContext(ctx).Info(logStepped, "by", step.String())
	if err := s.enqueueAll(ctx); err != nil {
		return fmt.Errorf("listing the quarantined pods: %w", err)
	}
	s.handled += step
	return nil
}

func (s *Source) enqueueAll(ctx context.Context) error {
	names, err := s.list(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range s.queues {
		for _, name := range names {
			queue.Add(reconcile.Request{NamespacedName: name})
		}
	}
	return nil
}
