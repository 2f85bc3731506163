package availability

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/controlplane"
	"isolate.example.io/test/installation"
	"isolate.example.io/test/stream"
)

// writers are more than the connections that the API server keeps idle.
const writers = 32

// The restarts know nothing of the replica's end but what its readiness says, as
// when a container is restarted, and learn it late: a second or two.
func busy(t *testing.T, flags ...string) (*cluster, *stream.Stream) {
	t.Helper()
	c := start(t, controlplane.Options{})
	c.install(installation.Options{
		WebhookFlags: flags, ProbePeriod: time.Second, ProbeLag: time.Second,
	})
	_, err := c.isolate.StartWebhook(t.Context())
	require.NoError(t, err)
	c.kubectl("create", "namespace", "busy")
	s, err := stream.Start(t.Context(), c.Config(), "busy", writers)
	require.NoError(t, err)
	c.until(func() bool { return s.Sent() > writers }, "admissions are answered")
	return c, s
}

// restart replaces each replica, as a rollout does: the new one is ready before
// the old one is told to stop.
func (c *cluster) restart(s *stream.Stream) {
	c.Helper()
	for _, old := range c.webhooks() {
		sent, lost := s.Sent(), s.Lost()
		_, err := c.isolate.StartWebhook(c.Context())
		require.NoError(c, err)
		old.Stop()
		c.Logf("a restart: %d admissions sent, %d lost", s.Sent()-sent, s.Lost()-lost)
	}
}

// webhooks are the running replicas.
func (c *cluster) webhooks() []*installation.Program {
	var running []*installation.Program
	for _, program := range c.isolate.Programs() {
		select {
		case <-program.Done():
		default:
			if program.Name == "webhook" {
				running = append(running, program)
			}
		}
	}
	return running
}

func TestRollingRestartsLoseNoAdmission(t *testing.T) {
	c, s := busy(t)
	c.restart(s)
	for s.Sent() < *admissions {
		c.restart(s)
	}
	report := s.Stop()
	t.Log(report)
	require.Zero(t, report.Lost)
}

// Or the test above would show nothing.
func TestRestartsWithoutADrainLoseAdmissions(t *testing.T) {
	c, s := busy(t, "--drain-period=0s")
	for deadline := time.Now().Add(patience); s.Lost() == 0 && time.Now().Before(deadline); {
		c.restart(s)
	}
	report := s.Stop()
	t.Log(report)
	require.NotZero(t, report.Lost)
}
