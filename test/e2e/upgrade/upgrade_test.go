package upgrade

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/load"
)

// writers is the number of admissions in flight during the upgrade.
const writers = 8

// The pods are quarantined by one release, written to while replicas of both answer, and
// judged by the other; no admission is lost and no pod deleted early on the way.
func TestUpgradeAndDowngradeUnderLoad(t *testing.T) {
	c := start(t)
	c.kubectl("create", "namespace", shop)
	c.kubectl("annotate", "namespace", shop, quarantine.ControllerBudgetKey+"=0", quarantine.NamespaceBudgetKey+"=0")
	recorded := c.recorded(time.Now().Add(time.Hour)) // By a release before that one.
	c.apply(before)
	c.run(before)
	c.kubectl("create", "deployment", "web", "--namespace="+shop, "--image=web:1", "--replicas=6")
	pods := c.running("app=web", 6)
	deletions := c.watchDeletions()
	stream, err := load.Start(t.Context(), c.Config(), metav1.NamespaceDefault, writers)
	require.NoError(t, err)

	plain, held, expiring := pods[0], pods[1], pods[2]
	c.quarantine(plain)
	c.quarantine(held, quarantine.TTLKey+"=1s", quarantine.HoldKey+"=true")
	c.quarantine(expiring, quarantine.TTLKey+"=20s")

	c.apply(this)
	c.answers(stream) // The programs of the release before, with the manifests of this one.
	c.run(this)
	for _, pod := range []*corev1.Pod{plain, held, recorded} {
		c.extendOften(pod)
	}
	during := pods[3]
	c.quarantine(during)
	c.extendOften(during)
	c.stop(before)
	c.answers(stream)
	c.gone(expiring)

	// Before a release, after which the ReplicaSet may delete any of its pods.
	after, expiringAfter := pods[4], pods[5]
	c.quarantine(after)
	c.quarantine(expiringAfter, quarantine.TTLKey+"=20s")
	c.release(recorded)
	c.release(plain)
	c.deleteAdded()
	c.apply(before)
	c.answers(stream)
	c.run(before)
	c.extendOften(after)
	c.stop(this)
	c.answers(stream)
	c.gone(expiringAfter)
	c.release(after)
	c.release(during)
	require.Equal(t, held.UID, c.running(quarantine.QuarantinedLabel, 1)[0].UID, "held from the beginning to the end")

	report := stream.Stop()
	t.Log(report)
	require.Equal(t, report.Undecided, report.Lost, report)
	for uid, d := range deletions() {
		require.False(t, d.at.Before(d.expiresAt), "%s was deleted at %s and expires at %s", uid, d.at, d.expiresAt)
	}
}

// recorded creates a pod that a release quarantined whose records had another form.
func (c *cluster) recorded(end time.Time) *corev1.Pod {
	c.Helper()
	data, err := os.ReadFile(filepath.Join(root, "quarantine", "testdata", "records", "first-release.json"))
	require.NoError(c, err)
	require.Contains(c, string(data), `letGo`)
	pod := &corev1.Pod{}
	require.NoError(c, json.Unmarshal(data, pod))
	pod.Namespace, pod.UID = shop, ""
	pod.Annotations[quarantine.ExpiresAtKey] = end.UTC().Format(time.RFC3339)
	pod.Spec.Containers = []corev1.Container{{Name: "web", Image: "web:1"}}
	created, err := c.admin.CoreV1().Pods(shop).Create(c.Context(), pod, metav1.CreateOptions{})
	require.NoError(c, err)
	return created
}

// extendOften extends a pod so often that replicas of both releases answer, each of which
// must read the record that the other wrote.
func (c *cluster) extendOften(pod *corev1.Pod) {
	c.Helper()
	stored := c.get(pod)
	for i := range 10 {
		expiresAt := stored.Annotations[quarantine.ExpiresAtKey]
		c.kubectl("annotate", "pod", "--namespace="+shop, pod.Name, quarantine.ExtendKey+"="+(time.Duration(i+2)*24*time.Hour).String())
		stored = c.get(pod)
		require.Greater(c, stored.Annotations[quarantine.ExpiresAtKey], expiresAt)
		require.Equal(c, quarantine.Quarantined, quarantine.StatusOf(stored.Labels, stored.Annotations).State)
	}
}

// release releases a pod, whose labels must be what they were before.
func (c *cluster) release(pod *corev1.Pod) {
	c.Helper()
	c.kubectl("annotate", "pod", "--namespace="+shop, pod.Name, quarantine.TriggerKey+"-", quarantine.HoldKey+"-", quarantine.ForceKey+"=true")
	released, err := c.admin.CoreV1().Pods(shop).Get(c.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		return // Its controller has one pod too many, and may have deleted this one.
	}
	require.NotContains(c, released.Labels, quarantine.QuarantinedLabel)
	require.NotContains(c, released.Annotations, quarantine.RecordKey)
	for key, value := range released.Labels {
		require.NotContains(c, value, "quarantined-", key)
	}
}
