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

// writers are more than the connections that the API server keeps idle.
const writers = 32

// maxDraining is how many replicas drain at a time: each takes up to two minutes.
const maxDraining = 8

// rollout is one that doesn't end, under a stream of admissions.
type rollout struct {
	*cluster
	stream   *load.Stream
	replicas []*installation.Program
	draining errgroup.Group
}

// The replicas know nothing of their end but what their readiness says, as when a
// container is restarted, and the Service learns it late: a second or two.
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

// restart replaces each replica as a Deployment does: the new one is ready before
// the old one is told to stop, and nobody waits until that has ended.
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

// stop waits for the end of each replica that was replaced.
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

// Or the test above would show nothing.
func TestRestartsWithoutDrainLoseAdmissions(t *testing.T) {
	r := startRollout(t, "--drain-period=0s")
	for deadline := time.Now().Add(waiting.Patience); r.stream.Lost() == 0 && time.Now().Before(deadline); {
		r.restart()
	}
	require.NotZero(t, r.stop().Lost)
}
