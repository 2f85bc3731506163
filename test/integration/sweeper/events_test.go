package sweeper

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// eventReasons returns the sorted reasons of a pod's events.
func eventReasons(ctx context.Context, pod *corev1.Pod) ([]string, error) {
	events := &eventsv1.EventList{}
	if err := admin.List(ctx, events, client.InNamespace(pod.Namespace)); err != nil {
		return nil, err
	}
	var reasons []string
	for i := range events.Items {
		if events.Items[i].Regarding.UID == pod.UID {
			reasons = append(reasons, events.Items[i].Reason)
		}
	}
	slices.Sort(reasons)
	return reasons, nil
}

// waitEvents waits until the events of a pod have exactly these reasons, sorted.
func waitEvents(t *testing.T, pod *corev1.Pod, reasons ...string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("events of %s: %v", pod.Name, got)
		}
	}()
	eventually(t, "pod "+pod.Name+" has these events", func(ctx context.Context) (_ bool, err error) {
		got, err = eventReasons(ctx, pod)
		return slices.Equal(got, reasons), err
	})
}

// quarantinedFor dates the quarantine of a pod back by d.
func quarantinedFor(d time.Duration) gen.Option {
	return gen.Annotation(quarantine.QuarantinedAtKey, gen.Stamp(time.Now().Add(-d)))
}

// Each leader finds the same conditions, and publishes each of them as the same event.
func TestNextLeaderDoesNotRepeatEvents(t *testing.T) {
	namespace := newNamespace(t)
	pod := create(t, namespace, "web", quarantinedFor(30*time.Minute), gen.Expires(time.Now().Add(2*time.Minute)))
	damaged := create(t, namespace, "damaged", gen.Without(quarantine.RecordKey))
	for range 3 {
		leader := start(t, namespace, replica(namespace))
		<-leader.elected
		eventually(t, "the leader has published the events", func(context.Context) (bool, error) {
			return leader.network.asked("POST", "/events") >= 3, nil
		})
		waitEvents(t, pod, "ExpiresSoon", "Quarantined")
		waitEvents(t, damaged, "BadRecord")
		leader.stop()
	}
	waitEvents(t, pod, "ExpiresSoon", "Quarantined")
	waitEvents(t, damaged, "BadRecord")
}

func TestExtendedPodGetsAnotherExpiryWarning(t *testing.T) {
	namespace := newNamespace(t)
	start(t, namespace)
	pod := create(t, namespace, "web", quarantinedFor(2*long), gen.Expires(time.Now().Add(2*time.Minute)))
	waitEvents(t, pod, "ExpiresSoon")
	require.NoError(t, patch(t.Context(), pod, gen.Expires(time.Now().Add(4*time.Minute))))
	waitEvents(t, pod, "ExpiresSoon", "ExpiresSoon")
}

func TestClockStepDoesNotRepeatExpiryWarning(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, localClock(-long))
	pod := create(t, namespace, "web", quarantinedFor(2*long), gen.Expires(time.Now().Add(2*time.Minute)), held)
	waitReconciled(t, namespace)
	sweeper.local.Set(0)
	require.NoError(t, patch(t.Context(), pod, gen.Annotation(quarantine.HoldKey, quarantine.False)))
	waitEvents(t, pod, "ExpiresSoon")
	sweeper.local.Set(-long)
	sweeper.ticker.Ticks <- time.Now()
	waitReconciled(t, namespace)
	waitEvents(t, pod, "ExpiresSoon")
	requireAlive(t, pod)
}

// Only the clock changes, neither the pod nor what selects it.
func TestClockStepForwardPublishesExpiryWarning(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, localClock(-long))
	pod := create(t, namespace, "web", quarantinedFor(long), gen.Expires(time.Now().Add(2*time.Minute)))
	waitEvents(t, pod, "Quarantined") // Published by the reconcile that also schedules the expiry warning.
	sweeper.local.Set(0)
	sweeper.ticker.Ticks <- time.Now()
	waitEvents(t, pod, "ExpiresSoon", "Quarantined")
	requireAlive(t, pod)
}

func TestDeletionIsPublished(t *testing.T) {
	namespace := newNamespace(t)
	start(t, namespace)
	expired := create(t, namespace, "expired", quarantinedFor(2*long))
	waitGone(t, expired)
	waitEvents(t, expired, "Expired")

	released := create(t, namespace, "released", quarantinedFor(2*long), gen.Expires(time.Now().Add(long)))
	waitReconciled(t, namespace)
	require.NoError(t, patch(t.Context(), released, func(pod metav1.Object) { pod.SetLabels(nil); pod.SetAnnotations(nil) }))
	waitEvents(t, released, "Released")

	deleted := create(t, namespace, "deleted", quarantinedFor(2*long), gen.Expires(time.Now().Add(long)))
	waitReconciled(t, namespace)
	require.NoError(t, admin.Delete(t.Context(), deleted, client.GracePeriodSeconds(0)))
	waitReconciled(t, namespace)
	waitEvents(t, deleted)
}

// The sweeper reports a stuck pod. It neither deletes the pod again nor checks it in a loop.
func TestStuckPodIsReportedOnce(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	pod := create(t, namespace, "web", withFinalizer, quarantinedFor(2*long))
	waitEvents(t, pod, "Expired")
	sweeper.local.Set(long)
	sweeper.network.setServerClock(long)
	waitReconciled(t, namespace) // Its requests measure the API server's clock.
	require.NoError(t, patch(t.Context(), pod, gen.Annotation("example.com/touched", "yes")))
	waitEvents(t, pod, "Expired", "StillTerminating")
	sweeper.local.Set(0)
	sweeper.network.setServerClock(0)
	waitReconciled(t, namespace)
	require.Equal(t, once, sweeper.network.codes("web"))
	require.NoError(t, patch(t.Context(), pod, func(pod metav1.Object) { pod.SetFinalizers(nil) }))
}

// A new leader scans all pods, page by page, for what the cache of quarantined pods
// does not hold. It only reports them.
func TestStartupScanReportsOnce(t *testing.T) {
	namespace := newNamespace(t)
	unlabelled := create(t, namespace, "unlabelled", gen.Without(quarantine.QuarantinedLabel))
	triggered := gen.Pod("triggered", gen.Namespace(namespace), gen.Annotation(quarantine.TriggerKey, quarantine.True))
	require.NoError(t, admin.Create(t.Context(), triggered))
	createMany(t, namespace, "free-", 150, func(pod metav1.Object) { pod.SetLabels(nil); pod.SetAnnotations(nil) })

	sweeper := start(t, namespace)
	waitEvents(t, triggered, "Ignored")
	waitEvents(t, unlabelled, "BadRecord")
	eventually(t, "the metrics count both pods", func(context.Context) (bool, error) {
		return sweeper.metric(t, "isolate_ignored_triggers") == 1 && sweeper.metric(t, "isolate_unlabelled_records") > 0, nil
	})
	require.Positive(t, sweeper.network.asked("GET", "/api/v1/pods", "continue="), "page by page")
	waitReconciled(t, namespace)
	requireAlive(t, triggered)
	requireAlive(t, unlabelled)
	require.NoError(t, admin.Delete(t.Context(), triggered, client.GracePeriodSeconds(0)))
}
