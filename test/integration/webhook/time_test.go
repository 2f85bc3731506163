package webhook

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
)

const (
	day = 24 * time.Hour

	// exact is how much a Date header leaves open. Stamps are whole seconds, too.
	exact = 2 * time.Second
)

// requireStamps requires that a pod was stamped by the real time, which is the API
// server's, of a quarantine between two moments.
func requireStamps(t *testing.T, pod *corev1.Pod, after, before time.Time, ttl time.Duration) {
	t.Helper()
	at := stampOf(t, pod, quarantine.QuarantinedAtKey)
	require.WithinRange(t, at, after.Add(-exact), before.Add(exact))
	require.WithinRange(t, stampOf(t, pod, quarantine.ExpiresAtKey), at.Add(ttl), at.Add(ttl+exact))
}

func TestPodsAreStampedByTheAPIServersTimeWhateverTheLocalClockShows(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": 0, "a day behind": -day, "a day ahead": day, "twelve years ahead": 12 * 365 * day} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			p := newProgram()
			p.local.Set(ahead)
			startReadyWebhook(t, p)
			for i, step := range []time.Duration{ahead, ahead + day, ahead - day, 0} {
				p.local.Set(step) // While it runs.
				pod := create(t, namespace, "web-"+string(rune('a'+i)))
				after := time.Now()
				quarantineFor(t, pod, "1h")
				requireStamps(t, pod, after, time.Now(), time.Hour)
			}
		})
	}
}

func TestAClockThatIsSetIsReported(t *testing.T) {
	p := newProgram()
	p.local.Set(-day)
	startReadyWebhook(t, p)
	for _, ahead := range []time.Duration{-day, 0, day} {
		p.local.Set(ahead)
		waiting.Until(t, func() bool {
			return (-ahead.Seconds()-p.metric(t, "isolate_clock_skew_seconds")) < exact.Seconds() &&
				(-ahead.Seconds()-p.metric(t, "isolate_clock_skew_seconds")) > -exact.Seconds()
		}, "the metric shows a local clock that is %s ahead", ahead)
	}
}

func TestTheStampsFollowTheAPIServersClock(t *testing.T) {
	namespace := newNamespace(t)
	p := newProgram()
	startReadyWebhook(t, p)
	for i, ahead := range []time.Duration{day, -day} {
		p.server.Set(ahead)
		pod := create(t, namespace, "web-"+string(rune('a'+i)))
		waiting.Until(t, func() bool { // At the next measurement.
			skew := p.metric(t, "isolate_clock_skew_seconds")
			return skew > 0 == (ahead > 0) && skew != 0
		}, "the API server's clock is measured")
		after := time.Now().Add(ahead)
		quarantineFor(t, pod, "1h")
		requireStamps(t, pod, after, time.Now().Add(ahead), time.Hour)
	}
}

func TestWithoutTheAPIServersTimeTheWebhookIsNotReadyAndChangesNothing(t *testing.T) {
	namespace := newNamespace(t)
	p := newProgram()
	p.server.Hide(true)
	startWebhook(t, p)
	pod := create(t, namespace, "web")
	const refused = `admission webhook "pods.isolate.example.io" denied the request: isolate does not know yet the API server's time; ` +
		"nothing was changed, retry: the API server has not told its time for 15 seconds"
	waiting.Poll(t, func(ctx context.Context) (bool, error) {
		err := annotate(ctx, pod, map[string]string{quarantine.TriggerKey: quarantine.True})
		return err != nil && err.Error() == refused, nil
	}, "a quarantine is refused")
	ready, err := p.ready(t.Context())
	require.NoError(t, err)
	require.False(t, ready)
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	require.Empty(t, pod.Annotations)

	p.server.Hide(false)
	waiting.Poll(t, p.ready, "the webhook is ready")
	quarantineFor(t, pod, "1h")
}

// Both programs have clocks that are wrong by a day, or are set while they run.
func TestNoPodIsDeletedEarlyByAWrongClock(t *testing.T) {
	for name, clocks := range map[string]struct{ webhook, sweeper, corrected time.Duration }{
		"the webhook's is behind":                              {webhook: -day},
		"the webhook's is ahead":                               {webhook: day},
		"the sweeper's is ahead":                               {sweeper: day},
		"the webhook's is behind, the sweeper's ahead":         {webhook: -day, sweeper: day},
		"the sweeper's is behind and corrected":                {sweeper: -day},
		"the webhook's is ahead, the sweeper's behind and set": {webhook: day, sweeper: -day, corrected: day},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			hook, deleter := newProgram(), newProgram()
			hook.local.Set(clocks.webhook)
			deleter.local.Set(clocks.sweeper)
			startReadyWebhook(t, hook)
			startSweeper(t, deleter)
			pod := create(t, namespace, "web")
			quarantineFor(t, pod, "3s")
			expires := stampOf(t, pod, quarantine.ExpiresAtKey)
			if clocks.sweeper < 0 {
				waiting.Until(t, func() bool { return time.Now().After(expires) }, "the pod has expired")
				require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod), "the clock that is behind counts")
				deleter.local.Set(clocks.corrected)
				deleter.ticker.Ticks <- time.Now()
			}
			waitGone(t, pod)
			require.False(t, time.Now().Before(expires))
			require.InDelta(t, 1, deleter.metric(t, "isolate_deletions_total"), 0)
		})
	}
}
