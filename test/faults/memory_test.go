package faults

import (
	"context"
	"fmt"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
)

// usage is what a process uses.
type usage struct{ resident, goroutines, files float64 }

// process is a process in its role: a sweeper that leads has workers that a standby has not.
type process struct {
	*controlplane.Process
	leads bool
}

// margin is what a process may use in addition to what it used first: the heap of a program
// of this size varies, and the API server keeps idle connections.
var margin = usage{resident: 48 << 20, goroutines: 80, files: 80}

func usageOf(ctx context.Context, p *installation.Program) (u usage, ok bool) {
	for _, metric := range []struct {
		name  string
		value *float64
	}{{"process_resident_memory_bytes", &u.resident}, {"go_goroutines", &u.goroutines}, {"process_open_fds", &u.files}} {
		if *metric.value, ok = p.Metric(ctx, metric.name); !ok {
			return u, false
		}
	}
	return u, true
}

// memoryReturns requires that each process uses about as much as when it was first measured,
// at the end of a scenario in which it was started.
func (s *scenario) memoryReturns() {
	s.Helper()
	for _, program := range []string{"webhook", "sweeper"} {
		for _, p := range s.replicas(program) {
			waiting.NoError(s, func() error {
				now, ok := usageOf(s.Context(), p)
				if !ok {
					return fmt.Errorf("%s serves no metrics", name(p))
				}
				leading, _ := p.Metric(s.Context(), `leader_election_master_status{name="isolate-sweeper"}`)
				role := process{p.Process, leading == 1}
				first, measured := s.usage[role]
				if !measured {
					s.usage[role] = now
					return nil
				}
				if now.resident > first.resident+margin.resident || now.goroutines > first.goroutines+margin.goroutines || now.files > first.files+margin.files {
					return fmt.Errorf("%s uses %+v, and used %+v", name(p), now, first)
				}
				return nil
			}, "the memory of %s has returned", name(p))
		}
	}
}
