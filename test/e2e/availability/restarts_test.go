package availability

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/load"
	"isolate.example.io/test/framework/waiting"
)

// writers is more than the API server's idle connections.
const writers = 32

// maxDraining bounds the replicas that drain at a time: each takes up to two minutes.
const maxDraining = 8

// rollout restarts the webhook's replicas again and again under a stream of admissions.
type rollout struct {
	*cluster
	stream   *load.Stream
	replicas []*installation.Program
	draining errgroup.Group
}

// The Service learns only from the readiness probe that a replica stops, as when a
// container restarts, and it learns it a second or two late.
func startRollout(t *testing.T, flags ...string) *rollout {
	t.Helper()
	r := &rollout{cluster: start(t, controlplane.Options{})}
	r.draining.SetLimit(maxDraining)
	r.install(installation.Options{
		WithoutWebhook: true, WebhookFlags: flags, ProbePeriod: time.Second, ProbeLag: time.Second,
	})
	for range 2 {
		r.replicas = append(r.replicas, r.startWebhook())
	}
	r.kubectl("create", "namespace", "busy")
	var err error
	r.stream, err = load.Start(t.Context(), r.Config(), "busy", writers)
	require.NoError(t, err)
	r.until(func() bool { return r.stream.Sent()-r.stream.Lost() > writers }, "admissions are answered")
	return r
}

func (r *rollout) startWebhook() *installation.Program {
	r.Helper()
	replica, err := r.isolate.StartWebhook(r.Context())
	require.NoError(r, err)
	return replica
}

// restart replaces each replica like a Deployment: the new one is ready before the
// old one gets SIGTERM, and the rollout doesn't wait for the old one to exit.
func (r *rollout) restart() {
	r.Helper()
	for i, old := range r.replicas {
		r.replicas[i] = r.startWebhook()
		r.draining.Go(func() error {
			start := time.Now()
			old.Stop()
			r.Logf("%s took %s to end; %d admissions sent so far, %d lost",
				filepath.Base(old.Dir), time.Since(start).Round(time.Second), r.stream.Sent(), r.stream.Lost())
			return nil
		})
	}
}

// stop waits until every replaced replica has exited.
func (r *rollout) stop() load.Report {
	r.Helper()
	require.NoError(r, r.draining.Wait())
	report := r.stream.Stop()
	r.Log(report)
	return report
}

func TestRollingRestartsLoseNoAdmission(t *testing.T) {
	r := startRollout(t)
	r.restart()
	for r.stream.Sent() < *admissions {
		r.restart()
	}
	require.Zero(t, r.stop().Lost)
}

// Without a drain admissions are lost. This proves that the test above can fail.
func TestRestartsWithoutDrainLoseAdmissions(t *testing.T) {
	r := startRollout(t, "--drain-period=0s")
	for deadline := time.Now().Add(waiting.Patience); r.stream.Lost() == 0 && time.Now().Before(deadline); {
		r.restart()
	}
	require.NotZero(t, r.stop().Lost)
}
