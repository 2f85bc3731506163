package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// release releases a pod as a person does, and returns what is stored by that
// very write, and what the person sees.
func (n *namespace) release(pod string) (string, error) {
	n.Helper()
	return n.kubectl(nil, "annotate", "pod", pod, quarantine.TriggerKey+"-")
}

func (n *namespace) unready(pod string) {
	n.Helper()
	_, err := admin.CoreV1().Pods(n.name).Patch(n.Context(), pod, types.StrategicMergePatchType,
		[]byte(`{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}`), metav1.PatchOptions{}, "status")
	require.NoError(n, err)
}

func (n *namespace) exists(pod *corev1.Pod) bool {
	n.Helper()
	stored, err := admin.CoreV1().Pods(n.name).Get(n.Context(), pod.Name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(n, err)
	}
	return err == nil && stored.UID == pod.UID && stored.DeletionTimestamp == nil
}

// The answer to a release says what the real controller then does.
func TestAReleaseSaysWhatTheControllerThenDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		owner  any
		pods   int
		before func(n *namespace, pod *corev1.Pod)
		says   string
		stays  string // "yes", "no" or "maybe"
	}{
		{name: "replica set, not Ready", owner: replicaSet("web", 2, web), pods: 2, stays: "no",
			before: func(n *namespace, pod *corev1.Pod) { n.unready(pod.Name) },
			says:   "ReplicaSet/web has one pod too many: this one will be deleted at once."},
		{name: "replica set, Ready", owner: replicaSet("web", 2, web), pods: 2, stays: "maybe",
			says: "ReplicaSet/web has one pod too many and deletes one: it may be this one."},
		{name: "replication controller, not Ready", owner: replicationController("web", 2, web), pods: 2, stays: "no",
			before: func(n *namespace, pod *corev1.Pod) { n.unready(pod.Name) },
			says:   "ReplicationController/web has one pod too many: this one will be deleted at once."},
		{name: "replica set, gone", owner: replicaSet("web", 1, web), pods: 1, stays: "yes",
			before: func(n *namespace, _ *corev1.Pod) {
				require.NoError(n, admin.AppsV1().ReplicaSets(n.name).Delete(n.Context(), "web", metav1.DeleteOptions{}))
				n.running("app=web", 0)
			},
			says: "ReplicaSet/web is gone, so nobody owns this pod"},
		{name: "daemon set", owner: daemonSet("web", web), pods: nodes, stays: "yes",
			says: "DaemonSet/web takes it back and deletes the replacement."},
		{name: "job", owner: job("web", web), pods: 1, stays: "yes",
			says: "Job/web takes it back and deletes the replacement."},
		{name: "no controller", owner: barePod("web", web), pods: 1, stays: "yes", says: "Released: it has its labels back"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(test.owner)
			before := n.running("app=web", test.pods)[0]
			// A DaemonSet keeps the elder, by whole seconds.
			n.until(func() bool { return time.Since(before.CreationTimestamp.Time) > time.Second }, "the pod is older than its replacement")
			n.quarantine(before.Name)
			n.running("app=web", test.pods)
			if test.before != nil {
				test.before(n, &before)
			}

			screen, err := n.release(before.Name)

			require.NoError(t, err, screen)
			require.Contains(t, screen, test.says)
			n.until(func() bool {
				pods := n.pods("app=web")
				return len(pods) == test.pods && (test.stays == "maybe" || n.exists(&before) == (test.stays == "yes"))
			}, "%d pods, this one among them: %s", test.pods, test.stays)
			if test.stays == "yes" {
				released := n.pod(before.Name)
				for key, value := range before.Labels {
					require.Equal(t, value, released.Labels[key])
				}
				require.NotContains(t, released.Labels, quarantine.LabelKey)
				require.Empty(t, released.Annotations)
			}
		})
	}
}

func TestTheLifeOfAQuarantinedPod(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(service("web", web))
	n.create(replicaSet("web", 1, web))
	pod := n.running("app=web", 1)[0].Name
	n.quarantine(pod, quarantine.TTLKey+"=1h")
	annotate := func(annotations ...string) (string, error) {
		return n.kubectl(nil, append([]string{"annotate", "--overwrite", "pod", pod}, annotations...)...)
	}
	screen, err := annotate(quarantine.ExtendKey + "=2d")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "in 2d.")
	screen, err = annotate(quarantine.HoldKey + "=true")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "It is held")
	for annotation, want := range map[string]string{
		quarantine.TTLKey + "=2h":                         "to keep it longer, set isolate.example.io/extend instead",
		quarantine.ExpiresAtKey + "=2030-01-01T00:00:00Z": "only isolate changes the record",
		quarantine.RecordKey + "={}":                      "only isolate changes the record",
		quarantine.TriggerKey + "-":                       "is held, and once it is released ReplicaSet/web",
		quarantine.ExtendKey + "=tomorrow":                "must be a duration such as 90s",
		"isolate.example.io/quarantined-by=someone-else":  "only isolate changes the record",
	} {
		screen, err := annotate(annotation)
		require.Error(t, err, annotation)
		require.Contains(t, screen, want)
	}
	screen, err = n.kubectl(nil, "label", "--overwrite", "pod", pod, "app=web", "release=stable")
	require.Error(t, err)
	require.Contains(t, screen, "with these labels Service/web would select pod "+pod)
	n.requireOut(n.pod(pod))
	require.Equal(t, "true", n.pod(pod).Annotations[quarantine.HoldKey])
}

// A controller that adopts a quarantined pod is not stopped, and doesn't get it.
func TestAControllerThatAdoptsIsNotHindered(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(barePod("broken", web))
	stored, _ := n.quarantine("broken")
	labels := map[string]string{"app": stored.Labels["app"], "release": stored.Labels["release"]}
	n.create(replicaSet("adopter", 2, labels))
	n.running("app="+labels["app"], 2)
	n.until(func() bool { return len(n.selecting(n.pod("broken").Labels)) == 0 }, "the pod is out again")
	n.requireOut(n.pod("broken"))
}

func TestAStatefulSetsPodTakesForce(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(statefulSet("web", web))
	n.running("app=web", 1)
	screen, err := n.kubectl(nil, "annotate", "pod", "web-0", quarantine.TriggerKey+"=true")
	require.Error(t, err)
	require.Contains(t, screen, "StatefulSet/web can't start a replacement as long as pod web-0 has the name")
	_, command, ok := strings.Cut(screen, "To go ahead anyway: kubectl ")
	require.True(t, ok, screen)
	screen, err = n.kubectl(nil, strings.Fields(command)...)
	require.NoError(t, err, screen)
	n.requireOut(n.pod("web-0"))
	require.NotContains(t, n.pod("web-0").Annotations, quarantine.ForceKey)
}
