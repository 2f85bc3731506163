package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/waiting"
)

// actors is how many people work at the same time, each with an own Deployment.
const actors = 3

// requestTimeout bounds a request of an actor. It is longer than a webhook's.
const requestTimeout = 15 * time.Second

// scenario is what one seed decides, in a namespace of its own.
type scenario struct {
	testing.TB
	*world
	seed      uint64
	namespace string
	client    *kubernetes.Clientset
	counts    counts

	started, healed time.Time

	mu    sync.Mutex
	found []error
	// protected are pods that must exist, by UID.
	protected map[string]protection
}

// counts is what scenarios did.
type counts struct {
	faults, admitted, refused, ambiguous, deletions, forged, scenarios atomic.Int64
}

func (c *counts) add(other *counts) {
	for _, pair := range [][2]*atomic.Int64{
		{&c.faults, &other.faults}, {&c.admitted, &other.admitted}, {&c.refused, &other.refused}, {&c.ambiguous, &other.ambiguous},
		{&c.deletions, &other.deletions}, {&c.forged, &other.forged}, {&c.scenarios, &other.scenarios},
	} {
		pair[0].Add(pair[1].Load())
	}
}

// String returns a line for the log.
func (c *counts) String() string {
	return fmt.Sprintf("%d scenarios, %d faults; %d writes admitted, %d refused, %d without a certain answer; %d pods deleted by isolate; %d forged reviews",
		c.scenarios.Load(), c.faults.Load(), c.admitted.Load(), c.refused.Load(), c.ambiguous.Load(), c.deletions.Load(), c.forged.Load())
}

func (w *world) scenario(t *testing.T, seed uint64) *scenario {
	t.Helper()
	config := rest.CopyConfig(w.Config())
	config.Timeout = requestTimeout
	config.WarningHandler = rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	s := &scenario{TB: t, world: w, seed: seed, client: client, started: time.Now(), protected: map[string]protection{}}
	s.counts.scenarios.Add(1)
	return s
}

// prepare creates the namespace, without budgets.
func (s *scenario) prepare() {
	s.Helper()
	namespace, err := s.client.CoreV1().Namespaces().Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "faults-", Annotations: map[string]string{quarantine.ControllerBudgetKey: "0", quarantine.NamespaceBudgetKey: "0"},
	}}, metav1.CreateOptions{})
	require.NoError(s, err)
	s.namespace = namespace.Name
}

// begin starts the actors. end waits until they have finished, and returns what they found
// wrong.
func (s *scenario) begin() (end func() []error) {
	ctx, cancel := context.WithCancel(s.Context())
	var group sync.WaitGroup
	acting := make([]*actor, actors)
	for i := range acting {
		a := newActor(s, i)
		acting[i] = a
		a.setUp()
		group.Go(func() { a.act(ctx) })
	}
	return func() []error {
		cancel()
		group.Wait()
		for _, a := range acting {
			a.leave()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.found
	}
}

// wrong records a broken promise.
func (s *scenario) wrong(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, fmt.Errorf("%s: "+format, append([]any{time.Since(s.started).Round(time.Millisecond)}, args...)...))
}

func (s *scenario) pause(d time.Duration) { pause(s.Context(), d) }

// pause waits for a time that a seed has decided.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// process returns a program, one of its replicas if there are several, or nil.
func (s *scenario) process(name string, which int) *controlplane.Process {
	if p := s.Process(name); p != nil {
		return p
	}
	running := s.replicas(name)
	if len(running) == 0 {
		return nil
	}
	return running[which%len(running)].Process
}

// restorePermission gives a permission back, however long the API server is away.
func (s *scenario) restorePermission(resource string) {
	s.Helper()
	waiting.NoError(s, func() error { return s.permit(s.Context(), resource, true) }, "the permission to read %s is restored", resource)
}

// random returns the numbers of one actor.
func (s *scenario) random(actor int) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed, uint64(actor)+1))
}
