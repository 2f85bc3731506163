package faults

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seed     = flag.Uint64("seed", 0, "the only random scenario to run; without it, a few run that are always the same")
	duration = flag.Duration("duration", 0, "how long to run random scenarios, with new seeds")
)

// seeds are the scenarios of every run.
var seeds = []uint64{1, 2, 3}

// scenarios calls run with the seeds that the flags ask for.
func scenarios(t *testing.T, run func(seed uint64)) {
	t.Helper()
	switch {
	case *duration > 0:
		first := rand.Uint64() >> 32
		if *seed != 0 {
			first = *seed
		}
		t.Logf("the first seed is %d", first)
		end := time.Now().Add(*duration)
		for seed := first; time.Now().Before(end); seed++ {
			run(seed)
		}
	case *seed != 0:
		run(*seed)
	default:
		for _, seed := range seeds {
			run(seed)
		}
	}
}

// In each scenario people quarantine, hold, extend and release pods and create Services,
// while a seed decides what fails. Afterwards:
//
//   - each write that was admitted isolated its pod, and each that was refused changed nothing
//     (checked at once);
//   - isolate has deleted no pod that was held, not expired or not quarantined;
//   - a minute after the control plane has recovered from the last fault, nothing is overdue, and nothing selects a quarantined pod;
//   - the programs use as much memory as before.
func TestRandomFaults(t *testing.T) {
	var w *world
	var total counts
	scenarios(t, func(seed uint64) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			if w == nil {
				w = newWorld(t)
			}
			s := w.scenario(t, seed)
			defer func() {
				total.add(&s.counts)
				if t.Failed() {
					w.keep(t, seed)
					w.close()
					w = nil
				}
			}()
			s.Logf("to repeat this scenario: go test ./test/faults -run=RandomFaults -seed=%d", seed)
			s.run(plan(rand.New(rand.NewPCG(seed, 0))))
		})
	})
	if w != nil {
		w.close()
	}
	t.Log(&total)
}

// run plays the steps, and checks the invariants.
func (s *scenario) run(steps []*step) {
	s.Helper()
	s.prepare()
	end := s.begin()
	for _, step := range steps {
		s.Logf("%s: %s", time.Since(s.started).Round(time.Millisecond), step)
		step.play(s)
	}
	found := end()
	s.controlPlaneAnswers()
	s.healed = time.Now()
	s.check(found)
}

// check requires the invariants. The errors are what the actors have found.
func (s *scenario) check(found []error) {
	s.Helper()
	s.nothingOverdue()
	s.everyReplicaIsReady()
	s.everyPodIsIsolated()
	s.everyDeletionWasDue()
	s.everyProtectedPodExists()
	require.Empty(s, found)
	s.cleanUp()
	s.memoryReturns()
	s.Log(&s.counts)
}
