package lifecycle

import (
	"encoding/json"
	"slices"
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

// collects waits until the garbage collector has processed everything that happened
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

// unrestored returns the owners, except the controller, that a release kept in the
// annotation.
func (n *namespace) unrestored(released *corev1.Pod) []string {
	n.Helper()
	var lost struct{ OwnerReferences []metav1.OwnerReference }
	if value, ok := released.Annotations[quarantine.UnrestoredKey]; ok {
		require.NoError(n, json.Unmarshal([]byte(value), &lost))
	}
	var names []string
	for _, owner := range lost.OwnerReferences {
		if owner.Controller == nil || !*owner.Controller {
			names = append(names, owner.Kind+"/"+owner.Name)
		}
	}
	return names
}

// A release restores no owner that would make the garbage collector delete the pod. Its
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

	release := func(pod string, lost ...string) *corev1.Pod {
		// The webhook's index lags behind the API server for a moment.
		n.until(func() bool {
			planned, answer := n.annotated(pod, quarantine.TriggerKey+"-", "--dry-run=server")
			return strings.Contains(answer, "ReplicaSet/web is gone") && slices.Equal(lost, n.unrestored(planned))
		}, "a dry run of the release of %s does not restore %v", pod, lost)
		stored, answer := n.annotated(pod, quarantine.TriggerKey+"-")
		require.Contains(t, answer, "Not restored, because isolate can't tell whether it still exists: owner "+lost[0])
		require.Equal(t, lost, n.unrestored(stored))
		return stored
	}
	stays.BlockOwnerDeletion = nil
	require.Equal(t, []metav1.OwnerReference{stays},
		release(some, "ConfigMap/settings", "Service/deleted", "Service/again").OwnerReferences)
	require.Empty(t, release(none, "Service/deleted", "Service/again").OwnerReferences)

	n.collects(deleted, again)
	require.True(t, n.exists(&pods[0]))
	require.True(t, n.exists(&pods[1]))
	require.Equal(t, []metav1.OwnerReference{stays}, n.pod(some).OwnerReferences)
}
