package sweeper

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// annotateAs sets annotations by a patch with the field manager of kubectl annotate.
func annotateAs(t *testing.T, pod *corev1.Pod, annotations map[string]string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	require.NoError(t, err)
	require.NoError(t, admin.Patch(t.Context(), pod.DeepCopy(), client.RawPatch("application/merge-patch+json", patch), client.FieldOwner("kubectl-annotate")))
}

// The clock that stamped it was behind, so the pod would be deleted at once.
func TestPodWithExpiryBeforeItsQuarantineIsKeptUntilExtended(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	request := []string{quarantine.TriggerKey, quarantine.QuarantinedAtKey, quarantine.ExpiresAtKey}
	var withoutRequest []gen.Option
	for _, key := range request {
		withoutRequest = append(withoutRequest, gen.Without(key))
	}
	pod := create(t, namespace, "web", withoutRequest...)
	annotateAs(t, pod, map[string]string{
		quarantine.TriggerKey:       quarantine.True,
		quarantine.QuarantinedAtKey: gen.Stamp(time.Now().Add(-3 * long)),
		quarantine.ExpiresAtKey:     gen.Stamp(time.Now().Add(-2 * long)),
	})
	eventually(t, "the metrics report the implausible expiry", func(context.Context) (bool, error) {
		return sweeper.metric(t, "isolate_implausible_pods") == 1 && sweeper.metric(t, "isolate_overdue_pods") == 0, nil
	})
	waitEvents(t, pod, "BadRecord", "ImplausibleExpiry") // The record was incomplete until the annotations were set.
	waitReconciled(t, namespace)
	requireAlive(t, pod)
	require.Empty(t, sweeper.network.codes("web"))

	annotateAs(t, pod, map[string]string{quarantine.ExpiresAtKey: gen.Stamp(seconds(2))})
	waitGone(t, pod)
	require.Equal(t, once, sweeper.network.codes("web"))
}

func TestPodWithExpiryBeforeItsCreationIsKept(t *testing.T) {
	namespace := newNamespace(t)
	sweeper := start(t, namespace, realCreation)
	pod := create(t, namespace, "web", quarantinedFor(2*long))
	waitEvents(t, pod, "ImplausibleExpiry")
	requireAlive(t, pod)
	require.Empty(t, sweeper.network.codes("web"))
}

// A hold that is withdrawn after the expiry is no reason to doubt the expiry.
func TestHoldWithdrawnAfterExpiryByItsOwnerDeletes(t *testing.T) {
	namespace := newNamespace(t)
	start(t, namespace)
	pod := create(t, namespace, "web", held)
	annotateAs(t, pod, map[string]string{quarantine.TriggerKey: quarantine.False})
	annotateAs(t, pod, map[string]string{quarantine.TriggerKey: quarantine.True, quarantine.HoldKey: quarantine.False})
	waitGone(t, pod)
}
