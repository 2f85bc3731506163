package lifecycle

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// ownedByService creates a Service that selects none of the pods and returns an
// ownerReference to it.
func (n *namespace) ownedByService(name string) metav1.OwnerReference {
	n.Helper()
	n.create(gen.Service(name, map[string]string{"app": "other"}))
	owner, err := admin.CoreV1().Services(n.name).Get(n.Context(), name, metav1.GetOptions{})
	require.NoError(n, err)
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Service", Name: name, UID: owner.UID, BlockOwnerDeletion: new(true)}
}

func (n *namespace) deleteService(name string) {
	n.Helper()
	require.NoError(n, admin.CoreV1().Services(n.name).Delete(n.Context(), name, metav1.DeleteOptions{}))
}

// own adds owners to a pod's controller.
func (n *namespace) own(pod string, owners ...metav1.OwnerReference) {
	n.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": owners}})
	require.NoError(n, err)
	_, err = admin.CoreV1().Pods(n.name).Patch(n.Context(), pod, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	require.NoError(n, err)
}

// collects returns once the garbage collector has processed everything that happened
// before. It processes changes in order, and it deletes a pod whose only owners are
// absent. The second such pod is created after the first is gone, so it doesn't matter
// which worker processed the first.
func (n *namespace) collects(absent ...metav1.OwnerReference) {
	n.Helper()
	for i := range 2 {
		sentinel := gen.Pod("sentinel-" + strconv.Itoa(i))
		sentinel.OwnerReferences = absent
		_, err := admin.CoreV1().Pods(n.name).Create(n.Context(), sentinel, metav1.CreateOptions{})
		require.NoError(n, err)
		n.until(func() bool {
			_, err := admin.CoreV1().Pods(n.name).Get(n.Context(), sentinel.Name, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}, "the garbage collector deletes %s", sentinel.Name)
	}
}

// Nothing is put back that would have the garbage collector delete the pod, whose
// controller is gone too.
func TestReleaseRestoresExistingOwnersOnly(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.ReplicaSet("web", 2, web))
	pods := n.running("app=web", 2)
	unknown := gen.Pod("unknown")
	unknown.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "settings"}}
	n.create(unknown) // Its ConfigMap is created too, and stays.
	settings := n.pod("unknown").OwnerReferences[0]
	stays, deleted, again := n.ownedByService("stays"), n.ownedByService("deleted"), n.ownedByService("again")
	some, none := pods[0].Name, pods[1].Name
	n.own(some, settings, stays, deleted, again)
	n.own(none, deleted, again)
	for _, pod := range []string{some, none} {
		n.quarantine(pod)
		n.requireOut(n.pod(pod))
	}

	n.deleteService("deleted")
	n.deleteService("again")
	require.NotEqual(t, again.UID, n.ownedByService("again").UID)
	require.NoError(t, admin.AppsV1().ReplicaSets(n.name).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	n.running("app=web", 0)

	lost := func(name string) string {
		return "Not put back: the ownerReference to " + name + ", which isolate can't tell to exist."
	}
	release := func(pod string, says ...string) *corev1.Pod {
		// The webhook's index lags behind the API server for a moment.
		var screen string
		defer func() {
			if n.Failed() {
				n.Log(screen)
			}
		}()
		n.until(func() bool {
			var err error
			screen, err = n.kubectl(nil, "annotate", "pod", pod, quarantine.TriggerKey+"-", "--dry-run=server")
			says := append([]string{"ReplicaSet/web is gone"}, says...)
			for _, sentence := range says {
				if !strings.Contains(screen, sentence) {
					return false
				}
			}
			return err == nil && strings.Count(screen, "Not put back") == len(says)-1
		}, "the answer for %s would be: %v", pod, says)
		stored, answer := n.annotated(pod, quarantine.TriggerKey+"-")
		for _, sentence := range says {
			require.Contains(t, answer, sentence)
		}
		return stored
	}
	stays.BlockOwnerDeletion = nil
	require.Equal(t, []metav1.OwnerReference{stays},
		release(some, lost("ConfigMap/settings"), lost("Service/deleted"), lost("Service/again")).OwnerReferences)
	require.Empty(t, release(none, lost("Service/deleted"), lost("Service/again")).OwnerReferences)

	n.collects(deleted, again)
	require.True(t, n.exists(&pods[0]))
	require.True(t, n.exists(&pods[1]))
	require.Equal(t, []metav1.OwnerReference{stays}, n.pod(some).OwnerReferences)
}
