package lifecycle

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

func TestExpiredPodIsDeletedUnlessHeld(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.ReplicaSet("web", 2, web))
	pods := n.running("app=web", 2)
	const ttl = quarantine.TTLKey + "=3s"
	expiring, _ := n.quarantine(pods[0].Name, ttl)
	held, _ := n.quarantine(pods[1].Name, ttl, quarantine.HoldKey+"=true")
	due, err := time.Parse(time.RFC3339, expiring.Annotations[quarantine.ExpiresAtKey])
	require.NoError(t, err)

	n.until(func() bool {
		_, err := admin.CoreV1().Pods(n.name).Get(t.Context(), expiring.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "the pod is deleted")
	require.False(t, time.Now().Before(due), "deleted before its time")
	require.Equal(t, held.UID, n.pod(held.Name).UID)
	n.running("app=web", 2)
}

// crowd is the number of pods that are quarantined at once.
const crowd = 200

func TestManyPodsExpireAtOnce(t *testing.T) {
	n := newNamespace(t)
	n.annotate(map[string]string{quarantine.ControllerBudgetKey: "0", quarantine.NamespaceBudgetKey: "0"})
	n.create(gen.Service("web", web))
	n.create(gen.Deployment("web", crowd, web))
	pods := n.running("app=web", crowd)

	var group sync.WaitGroup
	errs := make([]error, crowd)
	for i, pod := range pods {
		group.Go(func() {
			_, errs[i] = admin.CoreV1().Pods(n.name).Patch(t.Context(), pod.Name, types.MergePatchType, []byte(mergePatch), metav1.PatchOptions{})
		})
	}
	group.Wait()

	for i, pod := range pods {
		require.NoError(t, errs[i], pod.Name)
	}
	broken := n.running(quarantine.QuarantinedLabel+"=true", crowd)
	n.running("app=web", crowd)
	selecting := n.selecting(broken[0].Labels)
	require.Empty(t, selecting)
	for _, pod := range broken {
		require.Equal(t, broken[0].Labels, pod.Labels)
		require.Empty(t, pod.OwnerReferences)
		require.Equal(t, quarantine.Quarantined, quarantine.StatusOf(pod.Labels, pod.Annotations).State)
	}
}
