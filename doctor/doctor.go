package doctor

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
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

// examination is one run of all checks.
type examination struct {
	client    kubernetes.Interface
	clock     clock.PassiveClock
	namespace string
	found     Installation
}

// severity orders the levels.
var severity = []Level{OK, Warning, Unknown, Failed}

// Report runs the checks for a namespace, writes each result as it is known, and returns the
// worst level.
func Report(ctx context.Context, client kubernetes.Interface, local clock.PassiveClock, namespace string, out io.Writer) Level {
	worst := OK
	for result := range run(ctx, client, local, namespace) {
		fmt.Fprintf(out, "%-8s %s\n", result.Level, result.Text)
		if result.Advice != "" {
			fmt.Fprintf(out, "%-8s %s\n", "", result.Advice)
		}
		if slices.Index(severity, result.Level) > slices.Index(severity, worst) {
			worst = result.Level
		}
	}
	return worst
}

// run runs the checks one after the other. It stops after the first if it can't reach the
// API server.
func run(ctx context.Context, client kubernetes.Interface, local clock.PassiveClock, namespace string) iter.Seq[Result] {
	e := &examination{client: client, clock: local, namespace: namespace}
	return func(yield func(Result) bool) {
		version, err := client.Discovery().ServerVersion()
		if err != nil {
			yield(noServer(err))
			return
		}
		if !yield(server(version.GitVersion)) {
			return
		}
		e.found = FindInstallation(ctx, client)
		for _, check := range []func(context.Context) Result{
			e.installed, e.version, e.policies, e.certificate, e.permission, e.answer, e.network,
		} {
			if !yield(check(ctx)) {
				return
			}
		}
	}
}
