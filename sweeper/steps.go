package sweeper

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// stepInterval is how often the clocks are compared, and so how late a pod can be
// whose time came by a clock being set.
const stepInterval = 10 * time.Second

// steps wakes all pods when a clock has been set: in every controller of which it is
// a source.
//
// A pod sleeps for what remained of its time when it was judged, and a timer does
// not follow a clock that is set. Where the clock goes back, the timer fires too
// early and the pod is judged again. Where it goes forward by an hour, the pod
// would sleep for an hour too long. One ticker compares the time with what has
// elapsed, for all pods together.
type steps struct {
	clocks  *clocks
	elapsed clock.WithTicker
	pods    client.Reader

	start, base time.Time     // what elapsed and the clocks showed at the beginning
	known       time.Duration // by how much the clocks had been set when the pods were last woken

	once   sync.Once
	mu     sync.Mutex
	queues []workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func newSteps(clocks *clocks, elapsed clock.WithTicker, pods client.Reader) *steps {
	return &steps{
		clocks: clocks, elapsed: elapsed, pods: pods,
		start: elapsed.Now(),
		base:  clocks.local.Now().Round(0), // Without its monotonic reading, which does not step.
	}
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/source.Source]. Each
// controller calls it, and all of them end together.
func (s *steps) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	s.join(queue)
	s.once.Do(func() { go s.watch(ctx) })
	return nil
}

func (s *steps) join(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues = append(s.queues, queue)
}

func (s *steps) watch(ctx context.Context) {
	ticker := s.elapsed.NewTicker(stepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		if err := s.look(ctx); err != nil {
			log.FromContext(ctx).Error(err, logUnsure)
		}
	}
}

// look wakes all pods if the clocks have been set since they were last woken. Small
// steps add up.
func (s *steps) look(ctx context.Context) error {
	now, err := s.clocks.now(ctx)
	if err != nil {
		return fmt.Errorf("reading the API server's time: %w", err)
	}
	step := now.Sub(s.base) - s.elapsed.Since(s.start) - s.known
	if step.Abs() <= tolerance {
		return nil
	}
	log.FromContext(ctx).Info(logStepped, "by", step.String())
	if err := s.wake(ctx); err != nil {
		return fmt.Errorf("listing the quarantined pods: %w", err)
	}
	s.known += step
	return nil
}

func (s *steps) wake(ctx context.Context) error {
	pods := newPodList()
	if err := s.pods.List(ctx, pods); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range s.queues {
		for i := range pods.Items {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pods.Items[i])})
		}
	}
	return nil
}
