package sweeper

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// A change between the check of a pod and its deletion wins. The API server has stored the
// change when the DELETE arrives, whose preconditions name the version that was checked.

func TestChangeJustBeforeDeletionWins(t *testing.T) {
	for name, change := range map[string]gen.Option{
		"held":     held,
		"extended": gen.Expires(time.Now().Add(long)),
		"released": gen.Without(quarantine.QuarantinedLabel),
		"damaged":  gen.Without(quarantine.RecordKey),
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			sweeper := start(t, namespace)
			pod := newPod(namespace, "web")
			same := pod.DeepCopy()
			sweeper.network.beforeDelete(first("web", func() error { return patch(t.Context(), same, change) }))
			require.NoError(t, admin.Create(t.Context(), pod))
			waitReconciled(t, namespace)
			requireAlive(t, pod)
			require.Equal(t, []int{http.StatusConflict}, sweeper.network.codes("web"))
		})
	}
}

func TestStatusUpdateJustBeforeDeletionDelaysIt(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	pod := newPod(namespace, "web", gen.Expires(seconds(1))) // The sweeper reads it again, with its real creationTimestamp.
	same := pod.DeepCopy()
	sweeper.network.beforeDelete(first("web", func() error {
		changed := same.DeepCopy()
		changed.Status.Message = "still alive"
		return admin.Status().Patch(t.Context(), changed, client.MergeFrom(same))
	}))
	require.NoError(t, admin.Create(t.Context(), pod))
	waitGone(t, pod)
	require.Equal(t, []int{http.StatusConflict, http.StatusOK}, sweeper.network.codes("web"))
}

func TestNewPodWithSameNameIsNotDeleted(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	pod := newPod(namespace, "web")
	replacement := newPod(namespace, "web", gen.Expires(time.Now().Add(long)))
	sweeper.network.beforeDelete(first("web", func() error {
		if err := admin.Delete(t.Context(), newPod(namespace, "web"), client.GracePeriodSeconds(0)); err != nil {
			return err
		}
		return admin.Create(t.Context(), replacement)
	}))
	require.NoError(t, admin.Create(t.Context(), pod))
	waitReconciled(t, namespace)
	require.Equal(t, []int{http.StatusConflict}, sweeper.network.codes("web"))
	requireAlive(t, replacement)
}

func TestAlreadyDeletedPodIsNoError(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	sweeper.network.beforeDelete(first("web", func() error {
		return admin.Delete(t.Context(), newPod(namespace, "web"), client.GracePeriodSeconds(0))
	}))
	create(t, namespace, "web")
	waitReconciled(t, namespace)
	require.Equal(t, []int{http.StatusNotFound}, sweeper.network.codes("web"))
	require.InDelta(t, 0, sweeper.metric(t, "isolate_quarantined_pods"), 0)
}

// first calls f before the first DELETE of a pod.
func first(pod string, f func() error) func(string) error {
	done := false // One worker, so one DELETE at a time.
	return func(deleted string) error {
		if deleted != pod || done {
			return nil
		}
		done = true
		return f()
	}
}
