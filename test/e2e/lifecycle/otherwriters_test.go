package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// hinderNobody writes to a quarantined pod like kubelets, network plugins, controllers
// and drains do. All of these writes succeed, with the webhook up or down.
func (n *namespace) hinderNobody(quarantined *corev1.Pod) {
	n.Helper()
	require.NoError(n, n.patchStatus(quarantined), "a kubelet")
	require.NoError(n, n.annotateThroughStatus(quarantined), "a network plugin")
	require.NoError(n, n.patch(`{"metadata": {"finalizers": ["other.example.com/f"]}}`)(quarantined))
	require.NoError(n, n.patch(`{"metadata": {"finalizers": null}}`)(quarantined))
	require.NoError(n, n.evict(quarantined), "a drain")
	n.gone(quarantined.Name)
}

// annotateThroughStatus writes an annotation through pods/status, like Multus.
func (n *namespace) annotateThroughStatus(pod *corev1.Pod) error {
	_, err := admin.CoreV1().Pods(n.name).Patch(n.Context(), pod.Name, types.MergePatchType,
		[]byte(`{"metadata": {"annotations": {"k8s.v1.cni.cncf.io/network-status": "[]"}}}`), metav1.PatchOptions{}, "status")
	return err
}

// deleted deletes the namespace and waits until it is gone with everything in it.
func (n *namespace) deleted() {
	n.Helper()
	require.NoError(n, admin.CoreV1().Namespaces().Delete(n.Context(), n.name, metav1.DeleteOptions{}))
	n.until(func() bool {
		_, err := admin.CoreV1().Namespaces().Get(n.Context(), n.name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "namespace %s is gone", n.name)
}

func TestQuarantineDoesNotBlockOtherWriters(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.create(gen.Deployment("web", 2, web))
	pods := n.running("app=web", 2)
	evicted, _ := n.quarantine(pods[0].Name)
	n.quarantine(pods[1].Name, quarantine.HoldKey+"=true")
	n.hinderNobody(evicted)
	n.running("app=web", 2)
	n.deleted() // A hold keeps isolate from deleting the pod, but nobody else.
}

func TestQuarantinedPodCanBePreempted(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	class := &schedulingv1.PriorityClass{ObjectMeta: gen.Meta(n.name), Value: 1000}
	_, err := admin.SchedulingV1().PriorityClasses().Create(t.Context(), class, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = admin.SchedulingV1().PriorityClasses().Delete(t.Context(), n.name, metav1.DeleteOptions{})
	})
	n.create(largePod("small", ""))
	n.running("app=small", 1)
	n.quarantine("small")

	n.create(largePod("important", n.name))

	n.running("app=important", 1)
	n.gone("small")
}

// largePod returns a pod that needs more than half of a node's CPU.
func largePod(name, priorityClass string) *corev1.Pod {
	pod := gen.Pod(name, gen.Labels(map[string]string{"app": name}))
	pod.Spec.PriorityClassName = priorityClass
	pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "node-2"}
	pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("600")}
	return pod
}
