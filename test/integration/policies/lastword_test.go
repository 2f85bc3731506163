package policies

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
)

// A webhook ordered after isolate's that the API server calls again too has the last
// word: its label would put the pod back into the Service. Such a quarantine is refused,
// and a pod that is quarantined already is not locked.
func TestQuarantineThatALaterWebhookUndoesIsRefused(t *testing.T) {
	s := startAPIServer(t)
	watcher := newWatcher(t, s)
	watch(t, watcher)
	waitReady(t, watcher)
	s.install(t, s.startIsolate(t, watcher))
	must(t, s.admin.Create(t.Context(), selects("shop", map[string]string{"team": "shop"})))
	eventually(t, "the webhook knows the Service", func(context.Context) (bool, error) {
		known, err := watcher.Namespace("default")
		return err == nil && known.Lookup(quarantine.KindService, "shop") != nil, err
	})
	before := s.free(t, label("team", "shop"))
	quarantined := s.free(t, label("team", "shop"))
	must(t, mergePatch(t.Context(), s.owner, quarantined, trigger))

	later := startWebhook(t, func(_, _ *corev1.Pod) []jsonpatch.Operation {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/labels/team", "shop")}
	})
	configuration := laterConfiguration(later)
	configuration.Webhooks[0].ReinvocationPolicy = ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy)
	must(t, s.admin.Create(t.Context(), configuration))
	s.waitForWebhook(t, later)

	err := mergePatch(t.Context(), s.owner, before.DeepCopy(), trigger)
	require.ErrorContains(t, err, `admission webhook "quarantines.isolate.example.io" denied the request`)
	require.ErrorContains(t, err, "sets label team=shop, by which Service/shop would still select pod "+before.Name)
	require.Equal(t, before.ResourceVersion, s.read(t, before).ResourceVersion)

	must(t, mergePatch(t.Context(), s.owner, quarantined, hold))
	require.Equal(t, quarantine.True, s.read(t, quarantined).Annotations[quarantine.HoldKey])
}
