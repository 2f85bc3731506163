package alertmanager

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

// web are the labels of the pods.
var web = map[string]string{"app": "web"}

// namespace is the namespace of one test: it has a Service with pods of a Deployment.
type namespace struct {
	testing.TB
	name string
}

// newNamespace returns a namespace in which the receiver has its permissions.
func newNamespace(t testing.TB, pods int) *namespace {
	t.Helper()
	n := newForeignNamespace(t, pods)
	_, err := admin.RbacV1().RoleBindings(n.name).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: gen.Meta("isolate-alert-receiver"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "isolate-alert-receiver"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: installation.Namespace, Name: "isolate-alert-receiver"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return n
}

// newForeignNamespace returns a namespace in which the receiver has no permission.
func newForeignNamespace(t testing.TB, pods int) *namespace {
	t.Helper()
	created, err := admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "alerts-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n := &namespace{TB: t, name: created.Name}
	_, err = admin.CoreV1().Services(n.name).Create(t.Context(), gen.Service("web", web), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = admin.AppsV1().Deployments(n.name).Create(t.Context(), gen.Deployment("web", pods, web), metav1.CreateOptions{})
	require.NoError(t, err)
	waiting.Until(t, func() bool { return len(n.serving()) == pods }, "%d pods serve", pods)
	return n
}

// serving returns the pods in traffic, sorted.
func (n *namespace) serving() []string {
	n.Helper()
	list, err := admin.DiscoveryV1().EndpointSlices(n.name).List(n.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=web"})
	require.NoError(n, err)
	var names []string
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
				names = append(names, endpoint.TargetRef.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func (n *namespace) pod(name string) *corev1.Pod {
	n.Helper()
	pod, err := admin.CoreV1().Pods(n.name).Get(n.Context(), name, metav1.GetOptions{})
	require.NoError(n, err)
	return pod
}

// first returns the first pod that serves.
func (n *namespace) first() *corev1.Pod {
	n.Helper()
	return n.pod(n.serving()[0])
}

func (n *namespace) quarantined(pod string) bool {
	n.Helper()
	return n.pod(pod).Labels[quarantine.QuarantinedLabel] == quarantine.QuarantinedValue
}

// waitQuarantined waits until the pod is quarantined and out of traffic, and returns it.
func (n *namespace) waitQuarantined(pod string) *corev1.Pod {
	n.Helper()
	waiting.Until(n, func() bool { return n.quarantined(pod) && !slices.Contains(n.serving(), pod) }, "pod %s is quarantined", pod)
	return n.pod(pod)
}

// release releases a pod.
func (n *namespace) release(pod string) {
	n.Helper()
	require.NoError(n, n.patch(n.Context(), pod, `{"metadata":{"annotations":{"isolate.example.io/quarantine":null}}}`))
	require.False(n, n.quarantined(pod))
}

func (n *namespace) patch(ctx context.Context, pod, patch string) error {
	_, err := admin.CoreV1().Pods(n.name).Patch(ctx, pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// waitRefusal waits until an event about a refused alert on the pod has the part in its note.
func (n *namespace) waitRefusal(pod, part string) {
	n.Helper()
	waiting.Until(n, func() bool {
		list, err := admin.EventsV1().Events(n.name).List(n.Context(), metav1.ListOptions{FieldSelector: "reason=AlertRefused"})
		require.NoError(n, err)
		for _, event := range list.Items {
			if event.Regarding.Name == pod {
				require.Equal(n, "isolate.example.io/alert-receiver", event.ReportingController)
				if strings.Contains(event.Note, part) {
					return true
				}
			}
		}
		return false
	}, "an event on pod %s says %q", pod, part)
}

// allow are the flags of a receiver for the namespaces.
func allow(namespaces ...*namespace) []string {
	var flags []string
	for _, n := range namespaces {
		flags = append(flags, "--allowed-namespace="+n.name)
	}
	return flags
}

// labels are those of an alert about a pod, as kube-state-metrics has them.
func labels(pod *corev1.Pod, more ...string) []string {
	return append([]string{
		"alertname=PodServesErrors", "quarantine=pod", "namespace=" + pod.Namespace, "pod=" + pod.Name, "uid=" + string(pod.UID),
	}, more...)
}

func without(all []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(label string) bool { return strings.HasPrefix(label, prefix) })
}

// delete deletes a pod, and waits until so many serve.
func (n *namespace) delete(pod string, serving int) {
	n.Helper()
	require.NoError(n, admin.CoreV1().Pods(n.name).Delete(n.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	waiting.Until(n, func() bool { return len(n.serving()) == serving }, "%d pods serve", serving)
}
