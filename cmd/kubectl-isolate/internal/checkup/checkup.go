package checkup

import (
	"context"
	"iter"

	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
)

// Level is the outcome of a check.
type Level string

// The levels.
const (
	OK Level = "OK"
	// Warning: a quarantine would work, but something needs attention.
	Warning Level = "WARNING"
	// Unknown: the caller may not read what the check depends on.
	Unknown Level = "UNKNOWN"
	// Failed: a quarantine would not work.
	Failed Level = "FAILED"
)

// Result is the finding of one check, and what to do about it.
type Result struct {
	Level        Level
	Text, Advice string
}

// checkup is one run of all checks.
type checkup struct {
	client    kubernetes.Interface
	clock     clock.PassiveClock
	namespace string
	found     pods.Installation
}

// Run runs the checks one after the other. It stops after the first if it can't reach the
// API server.
func Run(ctx context.Context, client kubernetes.Interface, local clock.PassiveClock, namespace string) iter.Seq[Result] {
	c := &checkup{client: client, clock: local, namespace: namespace}
	return func(yield func(Result) bool) {
		version, err := client.Discovery().ServerVersion()
		if err != nil {
			yield(noServer(err))
			return
		}
		if !yield(server(version.GitVersion)) {
			return
		}
		c.found = (&pods.Cluster{Client: client, Clock: local}).Installation(ctx)
		for _, check := range []func(context.Context) Result{
			c.installed, c.version, c.policies, c.certificate, c.permission, c.answer, c.network,
		} {
			if !yield(check(ctx)) {
				return
			}
		}
	}
}
