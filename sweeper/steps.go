package sweeper

import (
	"context"
	"fmt"
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

// steps wakes all pods when a clock has been set.
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
}

func newSteps(clocks *clocks, elapsed clock.WithTicker, pods client.Reader) *steps {
	return &steps{
		clocks: clocks, elapsed: elapsed, pods: pods,
		start: elapsed.Now(),
		base:  clocks.local.Now().Round(0), // Without its monotonic reading, which does not step.
	}
}

// Start implements [sigs.k8s.io/controller-runtime/pkg/source.Source].
func (s *steps) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go func() {
		ticker := s.elapsed.NewTicker(stepInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C():
			}
			if err := s.look(ctx, queue); err != nil {
				log.FromContext(ctx).Error(err, logUnsure)
			}
		}
	}()
	return nil
}

// look wakes all pods if the clocks have been set since they were last woken. Small
// steps add up.
func (s *steps) look(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	now, err := s.clocks.now(ctx)
	if err != nil {
		return fmt.Errorf("reading the API server's time: %w", err)
	}
	step := now.Sub(s.base) - s.elapsed.Since(s.start) - s.known
	if step.Abs() <= tolerance {
		return nil
	}
	log.FromContext(ctx).Info(logStepped, "by", step.String())
	if err := s.wake(ctx, queue); err != nil {
		return fmt.Errorf("listing the quarantined pods: %w", err)
	}
	s.known += step
	return nil
}

func (s *steps) wake(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	pods := newPodList()
	if err := s.pods.List(ctx, pods); err != nil {
		return err
	}
	for i := range pods.Items {
		queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pods.Items[i])})
	}
	return nil
}
