package lifecycle

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

const (
	// misfire is the number of pods of one Deployment that a faulty detector quarantines.
	misfire = 100
	// budget is the default of --controller-budget.
	budget = 5
)

// quarantineAtOnce annotates all pods of a Deployment concurrently and returns how
// many were quarantined.
func (n *namespace) quarantineAtOnce() int {
	n.Helper()
	n.create(gen.Deployment("web", misfire, web))
	pods := n.running("app=web", misfire)
	errs := make([]error, len(pods))
	var group sync.WaitGroup
	for i, pod := range pods {
		group.Go(func() {
			_, errs[i] = admin.CoreV1().Pods(n.name).Patch(n.Context(), pod.Name, types.MergePatchType, []byte(mergePatch), metav1.PatchOptions{})
		})
	}
	group.Wait()
	through := 0
	for _, err := range errs {
		if err == nil {
			through++
			continue
		}
		require.True(n, apierrors.IsForbidden(err), "%v", err)
		require.ErrorContains(n, err, "of at most 5 pods of Deployment/web are already quarantined")
	}
	require.Len(n, n.pods(quarantine.QuarantinedLabel), through)
	return through
}

// Not parallel: the budget tests depend on the number of webhook replicas.
func TestBudgetIsExactWithOneReplica(t *testing.T) {
	n := newNamespace(t)
	require.Equal(t, budget, n.quarantineAtOnce())
	// A rollout doesn't reset the Deployment's budget.
	_, err := n.kubectl(nil, "set", "image", "deployment/web", "web=web:2")
	require.NoError(t, err)
	screen, err := n.kubectl(nil, "rollout", "status", "deployment/web")
	require.NoError(t, err, screen)
	pod := n.running("app=web", misfire)[0].Name
	screen, err = n.kubectl(nil, "annotate", "pod", pod, quarantine.TriggerKey+"=true")
	require.Error(t, err)
	require.Contains(t, screen, "5 of at most 5 pods of Deployment/web are already quarantined")
	screen, err = n.kubectl(nil, "annotate", "pod", pod, quarantine.TriggerKey+"=true", quarantine.ForceKey+"=true")
	require.NoError(t, err, screen)
}

// Replicas do not know about each other's admissions before they are stored (see package
// budget), so each may admit a full budget, and no more.
func TestBudgetPerReplicaIsNeverExceeded(t *testing.T) {
	second, err := isolated.StartWebhook(t.Context())
	require.NoError(t, err)
	defer second.Kill()
	n := newNamespace(t)
	through := n.quarantineAtOnce()
	t.Logf("of %d at once, two replicas let %d through, with a budget of %d", misfire, through, budget)
	require.GreaterOrEqual(t, through, budget)
	require.LessOrEqual(t, through, 2*budget)
	screen, err := n.kubectl(nil, "annotate", "pod", n.pods("app=web")[0].Name, quarantine.TriggerKey+"=true")
	require.Error(t, err)
	require.Contains(t, screen, "pods of Deployment/web are already quarantined")
}
