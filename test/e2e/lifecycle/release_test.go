package lifecycle

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// release releases a pod with kubectl and returns what it prints.
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

// unreadyOthers makes all pods but one not Ready and waits until their owner's status
// shows it.
func (n *namespace) unreadyOthers(owner string, but *corev1.Pod) {
	n.Helper()
	for _, pod := range n.pods("app=web") {
		if pod.UID != but.UID {
			n.unready(pod.Name)
		}
	}
	n.until(func() bool {
		screen, err := n.kubectl(nil, "get", owner, "--output=jsonpath={.status.readyReplicas}")
		return err == nil && screen == ""
	}, "%s has no Ready pods", owner)
}

func (n *namespace) scale(kind, name string, replicas int) {
	n.Helper()
	screen, err := n.kubectl(nil, "scale", kind, name, "--replicas="+strconv.Itoa(replicas))
	require.NoError(n, err, screen)
	n.running("app=web", replicas)
}

// limitPods limits the namespace to that many pods and waits until the API server
// enforces the quota.
func (n *namespace) limitPods(count int) {
	n.Helper()
	limit := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(int64(count), resource.DecimalSI)}
	_, err := admin.CoreV1().ResourceQuotas(n.name).Create(n.Context(),
		&corev1.ResourceQuota{ObjectMeta: gen.Meta("pods"), Spec: corev1.ResourceQuotaSpec{Hard: limit}}, metav1.CreateOptions{})
	require.NoError(n, err)
	n.until(func() bool {
		_, err := admin.CoreV1().Pods(n.name).Create(n.Context(), gen.Pod("probe"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsForbidden(err)
	}, "the API server enforces the quota")
}

func (n *namespace) exists(pod *corev1.Pod) bool {
	n.Helper()
	stored, err := admin.CoreV1().Pods(n.name).Get(n.Context(), pod.Name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(n, err)
	}
	return err == nil && stored.UID == pod.UID && stored.DeletionTimestamp == nil
}

// ownedByConfigMap returns a pod whose controller is of a kind that isolate doesn't know.
func ownedByConfigMap(name string, labels map[string]string) *corev1.Pod {
	return gen.Pod(name, gen.Labels(labels), gen.Controller("v1", "ConfigMap", "settings", ""))
}

// free selects the pods of these tests that are not quarantined.
const free = "app=web,!" + quarantine.QuarantinedLabel

// The warnings of a release predict what the real controller then does.
func TestReleasePredictsTheController(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		owner  any
		pods   int
		before func(n *namespace, pod *corev1.Pod)
		says   string
		stays  string // "yes", "no" or "maybe"
		left   int    // pods at the end
		quota  int    // of pods, set before the pod is quarantined
		short  int    // pods that are not replaced
	}{
		{name: "replica set, not Ready", owner: gen.ReplicaSet("web", 2, web), pods: 2, stays: "no", left: 2,
			before: func(n *namespace, pod *corev1.Pod) { n.unready(pod.Name) },
			says:   "ReplicaSet/web has one pod too many: it will delete this pod at once."},
		{name: "replica set, Ready", owner: gen.ReplicaSet("web", 2, web), pods: 2, stays: "maybe", left: 2,
			says: "ReplicaSet/web has one pod too many and deletes one, maybe this one."},
		{name: "replication controller, not Ready", owner: gen.ReplicationController("web", 2, web), pods: 2, stays: "no", left: 2,
			before: func(n *namespace, pod *corev1.Pod) { n.unready(pod.Name) },
			says:   "ReplicationController/web has one pod too many: it will delete this pod at once."},
		{name: "replica set, gone", owner: gen.ReplicaSet("web", 1, web), pods: 1, stays: "yes", left: 1,
			before: func(n *namespace, _ *corev1.Pod) {
				require.NoError(n, admin.AppsV1().ReplicaSets(n.name).Delete(n.Context(), "web", metav1.DeleteOptions{}))
				n.running("app=web", 0)
			},
			says: "ReplicaSet/web is gone, so nothing controls this pod"},
		{name: "replica set, the replacement isn't Ready", owner: gen.ReplicaSet("web", 2, web), pods: 2, stays: "yes", left: 2,
			before: func(n *namespace, pod *corev1.Pod) { n.unreadyOthers("ReplicaSet/web", pod) },
			says:   "ReplicaSet/web has one pod too many and deletes pods that are not Ready first."},
		{name: "replica set, no replacement", owner: gen.ReplicaSet("web", 2, web), pods: 2, stays: "yes", left: 2, quota: 2,
			says: "ReplicaSet/web adopts it."},
		{name: "replica set, scaled down", owner: gen.ReplicaSet("web", 2, web), pods: 2, stays: "no", left: 0,
			before: func(n *namespace, _ *corev1.Pod) { n.scale("replicaset", "web", 0) },
			says:   "ReplicaSet/web is scaled to zero: it will delete this pod at once."},
		{name: "deployment, no longer its current replica set", owner: gen.Deployment("web", 1, web), pods: 1, stays: "no", left: 1,
			before: func(n *namespace, _ *corev1.Pod) {
				_, err := n.kubectl(nil, "set", "image", "deployment/web", "web=web:2")
				require.NoError(n, err)
				n.running("app=web", 1)
			},
			says: " is scaled to zero: it will delete this pod at once."},
		{name: "deployment, gone", owner: gen.Deployment("web", 1, web), pods: 1, stays: "yes", left: 1,
			before: func(n *namespace, _ *corev1.Pod) {
				_, err := n.kubectl(nil, "delete", "deployment", "web")
				require.NoError(n, err)
				n.running("app=web", 0)
			},
			says: " is gone, so nothing controls this pod"},
		{name: "deployment, made again", owner: gen.Deployment("web", 1, web), pods: 1, stays: "no", left: 1,
			before: func(n *namespace, pod *corev1.Pod) {
				_, err := n.kubectl(nil, "delete", "deployment", "web")
				require.NoError(n, err)
				n.running("app=web", 0)
				n.create(gen.Deployment("web", 1, web))
				n.running("app=web", 1)
				n.unready(pod.Name)
			},
			says: " has one pod too many: it will delete this pod at once."},
		{name: "daemon set", owner: gen.DaemonSet("web", web), pods: nodes, stays: "yes", left: nodes,
			says: "DaemonSet/web adopts it and deletes the replacement."},
		{name: "job", owner: gen.Job("web", web), pods: 1, stays: "yes", left: 1,
			says: "Job/web adopts it and deletes the replacement."},
		{name: "job, not Ready", owner: gen.Job("web", web), pods: 1, stays: "no", left: 1,
			before: func(n *namespace, pod *corev1.Pod) { n.unready(pod.Name) },
			says:   "Job/web has one pod too many: it will delete this pod at once."},
		{name: "job, suspended", owner: gen.Job("web", web), pods: 1, stays: "no", left: 0,
			before: func(n *namespace, _ *corev1.Pod) {
				_, err := n.kubectl(nil, "patch", "job", "web", "--patch", `{"spec": {"suspend": true}}`)
				require.NoError(n, err)
				n.running(free, 0)
			},
			says: "Job/web is scaled to zero: it will delete this pod at once."},
		{name: "stateful set", owner: gen.StatefulSet("web", web), pods: 1, stays: "yes", left: 1, short: 1,
			says: "StatefulSet/web adopts it."},
		{name: "stateful set, scaled down", owner: gen.StatefulSet("web", web), pods: 1, stays: "no", left: 0, short: 1,
			before: func(n *namespace, _ *corev1.Pod) { n.scale("statefulset", "web", 0) },
			says:   "StatefulSet/web is scaled to zero: it will delete this pod at once."},
		{name: "a kind nobody knows", owner: ownedByConfigMap("web", web), pods: 1, stays: "yes", left: 1, short: 1,
			says: "ConfigMap/settings is not known to isolate: check whether it adopts the pod."},
		{name: "no controller", owner: gen.Pod("web", gen.Labels(web)), pods: 1, stays: "yes", left: 1, short: 1, says: "Releases the pod: restores its labels"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.create(test.owner)
			before := n.running("app=web", test.pods)[0]
			// The DaemonSet controller keeps the oldest pod, and compares whole seconds.
			n.until(func() bool { return time.Since(before.CreationTimestamp.Time) > time.Second }, "the pod is older than its replacement")
			if test.quota > 0 {
				n.limitPods(test.quota)
				test.short = 1
			}
			n.quarantine(before.Name, quarantine.ForceKey+"=true")
			n.running(free, test.pods-test.short)
			if test.before != nil {
				test.before(n, &before)
			}

			// The webhook's index lags behind the API server for a moment.
			n.until(func() bool {
				screen, err := n.kubectl(nil, "annotate", "pod", before.Name, quarantine.TriggerKey+"-", "--dry-run=server")
				return err == nil && strings.Contains(screen, test.says)
			}, "a dry run answers: %s", test.says)
			screen, err := n.release(before.Name)

			require.NoError(t, err, screen)
			require.Contains(t, screen, test.says)
			n.until(func() bool {
				pods := n.pods("app=web")
				return len(pods) == test.left && (test.stays == "maybe" || n.exists(&before) == (test.stays == "yes"))
			}, "%d pods are left, including this one: %s", test.left, test.stays)
			if test.stays == "yes" {
				released := n.pod(before.Name)
				for key, value := range before.Labels {
					require.Equal(t, value, released.Labels[key])
				}
				require.NotContains(t, released.Labels, quarantine.QuarantinedLabel)
				delete(released.Annotations, quarantine.UnrestoredKey)
				require.Empty(t, released.Annotations)
			}
		})
	}
}

func TestQuarantineHoldExtendRelease(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Service("web", web))
	n.create(gen.ReplicaSet("web", 1, web))
	pod := n.running("app=web", 1)[0].Name
	n.quarantine(pod, quarantine.TTLKey+"=1h")
	annotate := func(annotations ...string) (string, error) {
		return n.kubectl(nil, append([]string{"annotate", "--overwrite", "pod", pod}, annotations...)...)
	}
	screen, err := annotate(quarantine.ExtendKey + "=2d")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "Reschedules its deletion for ")
	screen, err = annotate(quarantine.HoldKey + "=true")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "Holds the pod")
	screen, err = annotate(quarantine.TTLKey + "=2h")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "Ignores isolate.example.io/ttl on a quarantined pod. To keep it longer: kubectl annotate pod -n ")
	for annotation, want := range map[string]string{
		quarantine.ExpiresAtKey + "=2030-01-01T00:00:00Z": "only isolate changes the record",
		quarantine.RecordKey + "={}":                      "only isolate changes the record",
		quarantine.TriggerKey + "-":                       "is held, but once it is released, ReplicaSet/web has one pod too many",
		quarantine.ExtendKey + "=tomorrow":                "must be a duration such as 90s",
		"isolate.example.io/quarantined-by=someone-else":  "only isolate changes the record",
	} {
		screen, err := annotate(annotation)
		require.Error(t, err, annotation)
		require.Contains(t, screen, want)
	}
	screen, err = n.kubectl(nil, "label", "--overwrite", "pod", pod, "app=web", "release=stable")
	require.NoError(t, err, screen)
	require.Contains(t, screen, "Keeps label app=quarantined-web: Service/web selects pods by it.")
	n.requireOut(n.pod(pod))
	require.Equal(t, "true", n.pod(pod).Annotations[quarantine.HoldKey])
}

// A controller's attempt to adopt a quarantined pod succeeds, but the pod is detached
// in that same write.
func TestAdoptionByControllerSucceeds(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Pod("broken", gen.Labels(web)))
	stored, _ := n.quarantine("broken")
	labels := map[string]string{"app": stored.Labels["app"], "release": stored.Labels["release"]}
	n.create(gen.ReplicaSet("adopter", 2, labels))
	n.running("app="+labels["app"], 2)
	n.until(func() bool { return len(n.selecting(n.pod("broken").Labels)) == 0 }, "the pod is detached again")
	n.requireOut(n.pod("broken"))
}

func TestStatefulSetPodNeedsForce(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.StatefulSet("web", web))
	n.running("app=web", 1)
	screen, err := n.kubectl(nil, "annotate", "pod", "web-0", quarantine.TriggerKey+"=true")
	require.Error(t, err)
	require.Contains(t, screen, "StatefulSet/web can't start a replacement while pod web-0 exists, because the replacement needs the same name.")
	_, command, ok := strings.Cut(screen, "To proceed anyway: kubectl ")
	require.True(t, ok, screen)
	screen, err = n.kubectl(nil, strings.Fields(command)...)
	require.NoError(t, err, screen)
	n.requireOut(n.pod("web-0"))
	require.NotContains(t, n.pod("web-0").Annotations, quarantine.ForceKey)
}
