package faults

import (
	"fmt"
	"math/rand/v2"
	"time"

	"isolate.example.io/test/faults/network"
)

// step is a fault that lasts for a while, and perhaps another one meanwhile.
type step struct {
	fault  fault
	lasts  time.Duration
	within *step
}

// fault is something that fails. It begins when begin is called and ends when the function
// that it returns is called.
type fault struct {
	name  string
	begin func(s *scenario) (end func())
}

func (p *step) String() string {
	text := fmt.Sprintf("%s for %s", p.fault.name, p.lasts)
	if p.within != nil {
		text += ", and meanwhile " + p.within.String()
	}
	return text
}

func (p *step) play(s *scenario) {
	end := p.fault.begin(s)
	defer end()
	if p.within != nil {
		p.within.play(s)
	}
	s.pause(p.lasts)
	s.counts.faults.Add(1)
}

// plan returns the steps of a scenario.
func plan(r *rand.Rand) []*step {
	steps := make([]*step, 2+r.IntN(3))
	for i := range steps {
		steps[i] = randomStep(r, onNetwork, onNetwork, pausing, killing, settingClocks, others)
		if r.IntN(3) == 0 {
			// The end of others needs an API server that answers.
			steps[i].within = randomStep(r, onNetwork, pausing, killing)
		}
	}
	return steps
}

func randomStep(r *rand.Rand, kinds ...func(*rand.Rand) fault) *step {
	return &step{
		fault: kinds[r.IntN(len(kinds))](r),
		lasts: time.Duration(200+r.IntN(7800)) * time.Millisecond,
	}
}

func onNetwork(r *rand.Rand) fault {
	routes := []route{
		{"webhook", "kube-apiserver"}, {"sweeper", "kube-apiserver"},
		{"kube-apiserver", "webhook"}, {"kube-apiserver", "etcd"},
	}
	faults := []network.Fault{
		{Cut: true}, {BlackHole: true}, {Delay: time.Duration(20+r.IntN(480)) * time.Millisecond},
		{BytesPerSecond: 20_000 + r.IntN(80_000)}, {ResetAfter: 5_000 + r.IntN(100_000)},
	}
	between, what := routes[r.IntN(len(routes))], faults[r.IntN(len(faults))]
	one, which := r.IntN(2) == 0, r.IntN(replicas)
	number := "every"
	if one {
		number = "one"
	}
	return fault{fmt.Sprintf("%s connection of %s to %s is %s", number, between.from, between.to, what), func(s *scenario) func() {
		links := s.linksBetween(between.from, between.to)
		if one && len(links) > which {
			links = links[len(links)-1-which:][:1]
		}
		for _, link := range links {
			link.Set(what)
		}
		return func() {
			for _, link := range links {
				link.Heal()
			}
		}
	}}
}

// pausing stops a program and lets it continue.
func pausing(r *rand.Rand) fault {
	name, which := anyProgram(r), r.IntN(replicas)
	return fault{name + " is paused", func(s *scenario) func() {
		process := s.process(name, which)
		if process == nil || process.Pause() != nil {
			return func() {}
		}
		return func() { _ = process.Resume() }
	}}
}

// killing kills a program, which the supervisor starts again.
func killing(r *rand.Rand) fault {
	return killingOne(anyProgram(r), r.IntN(replicas))
}

func killingOne(name string, which int) fault {
	return fault{name + " is killed", func(s *scenario) func() {
		if process := s.process(name, which); process != nil {
			process.Kill()
		}
		return func() {}
	}}
}

// settingClocks sets the clocks of one program's replicas, and back: running replicas see them
// step twice.
func settingClocks(r *rand.Rand) fault {
	program := []string{"webhook", "sweeper"}[r.IntN(2)]
	ahead := []time.Duration{-24 * time.Hour, 24 * time.Hour, -time.Minute, time.Minute, -3 * time.Second, 3 * time.Second}[r.IntN(6)]
	return settingClock(program, ahead)
}

func settingClock(program string, ahead time.Duration) fault {
	direction := "ahead"
	if ahead < 0 {
		direction = "behind"
	}
	return fault{fmt.Sprintf("the clock of every %s is %s by %s", program, direction, ahead.Abs()), func(s *scenario) func() {
		s.setClocks(program, ahead)
		return func() { s.setClocks(program, 0) }
	}}
}

func anyProgram(r *rand.Rand) string {
	names := []string{"webhook", "webhook", "sweeper", "sweeper", "kube-apiserver", "etcd", "kube-controller-manager"}
	return names[r.IntN(len(names))]
}

func others(r *rand.Rand) fault {
	resources := []string{"services", "replicasets", "pods", "namespaces", "jobs"}
	resource := resources[r.IntN(len(resources))]
	faults := []fault{
		{"clients send forged and malformed reviews", (*scenario).lie},
		{"the history of etcd is removed", func(s *scenario) func() {
			_ = s.compact(s.Context())
			return func() {}
		}},
		{"the webhook may not read " + resource, func(s *scenario) func() {
			_ = s.permit(s.Context(), resource, false)
			return func() { s.restorePermission(resource) }
		}},
	}
	return faults[r.IntN(len(faults))]
}
