package sweeper

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

var once = []int{http.StatusOK}

func TestExpiredPodIsDeletedOnce(t *testing.T) {
	namespace := newNamespace(t)
	at := seconds(1)
	gone := watchDeletions(t, namespace)
	pod := create(t, namespace, "web", gen.Expires(at))
	sweeper := start(t, namespace)
	when := gone.wait(t, 1, pod.Name)[pod.Name]
	require.False(t, when.Before(at), "deleted %s early", at.Sub(when))
	t.Logf("deleted %s after its expiry", when.Sub(at).Round(time.Millisecond))
	waitReconciled(t, namespace)
	require.Equal(t, once, sweeper.network.codes("web"))
	// This pod, and one for each waitReconciled, which start calls too.
	eventually(t, "the metrics count the deletions", func(context.Context) (bool, error) {
		return sweeper.metric(t, "isolate_deletions_total") == 3 && sweeper.metric(t, "isolate_quarantined_pods") == 0, nil
	})
}

func TestHeldPodIsKeptUntilReleased(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	pod := create(t, namespace, "web", held)
	waitReconciled(t, namespace)
	requireAlive(t, pod)
	require.Empty(t, sweeper.network.codes("web"))
	require.InDelta(t, 1, sweeper.metric(t, "isolate_held_pods"), 0)
	require.InDelta(t, 0, sweeper.metric(t, "isolate_overdue_pods"), 0)

	require.NoError(t, patch(t.Context(), pod, gen.Annotation(quarantine.HoldKey, quarantine.False)))
	waitGone(t, pod)
	require.Equal(t, once, sweeper.network.codes("web"))
}

func TestExtendedPodIsKept(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	soon := seconds(1)
	pod := create(t, namespace, "web", gen.Expires(soon))
	other := create(t, namespace, "other", gen.Expires(soon))
	require.NoError(t, patch(t.Context(), pod, gen.Expires(time.Now().Add(long))))
	waitGone(t, other)
	waitReconciled(t, namespace)
	requireAlive(t, pod)
	require.Empty(t, sweeper.network.codes("web"))
}

func TestTerminatingPodIsLeftAlone(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	pod := create(t, namespace, "web", withFinalizer)
	eventually(t, "the pod is terminating", func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return pod.DeletionTimestamp != nil, err
	})
	for _, value := range []string{"a", "b", "c"} {
		require.NoError(t, patch(t.Context(), pod, gen.Annotation("example.com/touched", value)))
	}
	waitReconciled(t, namespace)
	requireAlive(t, pod)
	require.Equal(t, once, sweeper.network.codes("web"))
	require.InDelta(t, 1, sweeper.metric(t, "isolate_terminating_pods"), 0)

	require.NoError(t, patch(t.Context(), pod, func(pod metav1.Object) { pod.SetFinalizers(nil) }))
	waitGone(t, pod)
	require.Equal(t, once, sweeper.network.codes("web"))
}

func TestDamagedRecordPreventsDeletion(t *testing.T) {
	damages := map[string]gen.Option{
		"no-expiry":     gen.Without(quarantine.ExpiresAtKey),
		"no-beginning":  gen.Without(quarantine.QuarantinedAtKey),
		"no-user":       gen.Without(quarantine.QuarantinedByKey),
		"no-record":     gen.Without(quarantine.RecordKey),
		"bad-expiry":    gen.Annotation(quarantine.ExpiresAtKey, "tomorrow"),
		"empty-expiry":  gen.Annotation(quarantine.ExpiresAtKey, ""),
		"bad-record":    gen.Annotation(quarantine.RecordKey, "{"),
		"before-itself": gen.Annotation(quarantine.ExpiresAtKey, "0001-01-01T00:00:00Z"),
	}
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	for name, damage := range damages {
		create(t, namespace, name, damage)
	}
	waitReconciled(t, namespace)
	found, err := names(t.Context(), namespace)
	require.NoError(t, err)
	require.Len(t, found, len(damages))
	for name := range damages {
		require.Empty(t, sweeper.network.codes(name), name)
	}
	require.InDelta(t, len(damages), sweeper.metric(t, "isolate_damaged_pods"), 0)
}

func TestOnlyQuarantinedPodsAreWatched(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	for name, value := range map[string]string{"no-label": "", "other-label": "yes"} {
		create(t, namespace, name, gen.Label(quarantine.QuarantinedLabel, value))
	}
	waitReconciled(t, namespace)
	found, err := names(t.Context(), namespace)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.InDelta(t, 0, sweeper.metric(t, "isolate_damaged_pods"), 0)
}
