package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// Not parallel: no other test can quarantine a pod while this one runs.
func TestWebhookOutageStopsQuarantineOnly(t *testing.T) {
	n := newNamespace(t)
	n.create(gen.Service("web", web))
	n.create(gen.Deployment("web", 2, web))
	pods := n.running("app=web", 2)
	quarantined, _ := n.quarantine(pods[0].Name, quarantine.TTLKey+"=1h")
	expiring, _ := n.quarantine(pods[1].Name, quarantine.TTLKey+"=1s")
	free := n.running("app=web", 2)
	doomed := newNamespace(t)
	doomed.create(gen.Pod("held", gen.Labels(web)))
	doomed.running("app=web", 1)
	doomed.quarantine("held", quarantine.HoldKey+"=true")

	stopWebhooks(t)

	screen, err := n.kubectl(nil, "annotate", "pod", free[0].Name, quarantine.TriggerKey+"=true")
	require.Error(t, err)
	require.Contains(t, screen, `failed calling webhook "pods.isolate.example.io"`)
	require.Equal(t, free[0].Labels, n.pod(free[0].Name).Labels, "the pod is unchanged")

	require.NoError(t, n.patch(`{"metadata": {"labels": {"other": "x"}}}`)(&free[0]))
	require.NoError(t, n.patch(`{"metadata": {"annotations": {"other": "x"}}}`)(&free[0]))
	require.NoError(t, n.patchStatus(&free[0]))
	require.NoError(t, n.evict(&free[0])) // The pod may be gone after this.
	n.hinderNobody(quarantined)
	n.gone(expiring.Name)
	doomed.deleted()
	_, err = n.kubectl(nil, "scale", "deployment", "web", "--replicas=3")
	require.NoError(t, err)
	n.running("app=web", 3)

	startWebhook(t)
	n.quarantine(free[1].Name)
}

func stopWebhooks(t *testing.T) {
	t.Helper()
	for _, program := range isolated.Programs() {
		if program.Name == "webhook" {
			program.Kill()
		}
	}
}

func startWebhook(t *testing.T) {
	t.Helper()
	_, err := isolated.StartWebhook(t.Context())
	require.NoError(t, err)
}

func (n *namespace) patch(body string) func(pod *corev1.Pod) error {
	return func(pod *corev1.Pod) error {
		_, err := admin.CoreV1().Pods(n.name).Patch(n.Context(), pod.Name, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		return err
	}
}

func (n *namespace) patchStatus(pod *corev1.Pod) error {
	_, err := admin.CoreV1().Pods(n.name).Patch(n.Context(), pod.Name, types.MergePatchType,
		[]byte(`{"status": {"message": "seen"}}`), metav1.PatchOptions{}, "status")
	return err
}

func (n *namespace) evict(pod *corev1.Pod) error {
	return admin.CoreV1().Pods(n.name).EvictV1(n.Context(), &policyv1.Eviction{ObjectMeta: gen.Meta(pod.Name)})
}

func (n *namespace) gone(pod string) {
	n.Helper()
	n.until(func() bool {
		_, err := admin.CoreV1().Pods(n.name).Get(n.Context(), pod, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "pod %s is gone", pod)
}
