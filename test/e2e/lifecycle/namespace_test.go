package lifecycle

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

// namespace is the namespace of one test, with helpers.
type namespace struct {
	*testing.T
	name string
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	created, err := admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	return &namespace{T: t, name: created.Name}
}

// annotate sets annotations on the namespace.
func (n *namespace) annotate(annotations map[string]string) {
	n.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	require.NoError(n, err)
	_, err = admin.CoreV1().Namespaces().Patch(n.Context(), n.name, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(n, err)
}

// create creates an object in the namespace.
func (n *namespace) create(object any) {
	n.Helper()
	var err error
	ctx, options := n.Context(), metav1.CreateOptions{}
	switch o := object.(type) {
	case *corev1.Pod:
		for i := range o.OwnerReferences { // The owner must exist, or the garbage collector deletes the pod.
			var owner *corev1.ConfigMap
			owner, err = admin.CoreV1().ConfigMaps(n.name).Create(ctx, &corev1.ConfigMap{ObjectMeta: gen.Meta(o.OwnerReferences[i].Name)}, options)
			require.NoError(n, err)
			o.OwnerReferences[i].UID = owner.UID
		}
		_, err = admin.CoreV1().Pods(n.name).Create(ctx, o, options)
	case *corev1.Service:
		_, err = admin.CoreV1().Services(n.name).Create(ctx, o, options)
	case *corev1.ReplicationController:
		_, err = admin.CoreV1().ReplicationControllers(n.name).Create(ctx, o, options)
	case *appsv1.Deployment:
		_, err = admin.AppsV1().Deployments(n.name).Create(ctx, o, options)
	case *appsv1.ReplicaSet:
		_, err = admin.AppsV1().ReplicaSets(n.name).Create(ctx, o, options)
	case *appsv1.DaemonSet:
		_, err = admin.AppsV1().DaemonSets(n.name).Create(ctx, o, options)
	case *appsv1.StatefulSet:
		_, err = admin.AppsV1().StatefulSets(n.name).Create(ctx, o, options)
	case *batchv1.Job:
		_, err = admin.BatchV1().Jobs(n.name).Create(ctx, o, options)
	case *policyv1.PodDisruptionBudget:
		_, err = admin.PolicyV1().PodDisruptionBudgets(n.name).Create(ctx, o, options)
	default:
		n.Fatalf("no client for %T", object)
	}
	require.NoError(n, err)
}

func (n *namespace) pods(selector string) []corev1.Pod {
	n.Helper()
	list, err := admin.CoreV1().Pods(n.name).List(n.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(n, err)
	return list.Items
}

func (n *namespace) pod(name string) *corev1.Pod {
	n.Helper()
	pod, err := admin.CoreV1().Pods(n.name).Get(n.Context(), name, metav1.GetOptions{})
	require.NoError(n, err)
	return pod
}

func (n *namespace) until(condition func() bool, what string, args ...any) {
	n.Helper()
	waiting.Until(n, condition, what, args...)
}

// running waits until exactly count matching pods run, and returns them.
func (n *namespace) running(selector string, count int) []corev1.Pod {
	n.Helper()
	var pods []corev1.Pod
	defer func() {
		if n.Failed() {
			screen, err := n.kubectl(nil, "get", "pods,replicasets,events", "--show-labels")
			n.Log(screen, err)
		}
	}()
	n.until(func() bool {
		pods = slices.DeleteFunc(n.pods(selector), func(p corev1.Pod) bool {
			return p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil
		})
		return len(pods) == count
	}, "%d pods with %s run", count, selector)
	return pods
}

// kubectl runs kubectl in the namespace, with additional environment variables,
// and returns what a person would see.
func (n *namespace) kubectl(env []string, args ...string) (string, error) {
	return kubectl.Try(n.Context(), cluster, env, append([]string{"--namespace=" + n.name}, args...)...)
}

// quarantine quarantines a pod with kubectl and returns the pod that this write
// stored, and the warnings.
func (n *namespace) quarantine(pod string, annotations ...string) (*corev1.Pod, string) {
	n.Helper()
	return n.annotated(pod, append([]string{quarantine.TriggerKey + "=true"}, annotations...)...)
}

// annotated annotates a pod with kubectl and returns the pod that this write stored,
// and the warnings.
func (n *namespace) annotated(pod string, annotations ...string) (*corev1.Pod, string) {
	n.Helper()
	screen, err := n.kubectl(nil, append([]string{"annotate", "pod", pod, "--output=json"}, annotations...)...)
	require.NoError(n, err, screen)
	stored, warnings, err := kubectl.StoredPod(screen)
	require.NoError(n, err)
	return stored, warnings
}

// requireOut fails unless the pod is quarantined and nothing selects or owns it.
func (n *namespace) requireOut(pod *corev1.Pod) {
	n.Helper()
	require.Empty(n, n.selecting(pod.Labels))
	require.Empty(n, pod.OwnerReferences)
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	require.Equal(n, quarantine.Quarantined, status.State, "%v", status.Problem)
}

// selecting returns the names of all objects in the namespace that select these labels.
func (n *namespace) selecting(podLabels map[string]string) []string {
	n.Helper()
	var names []string
	see := func(name string, selector *metav1.LabelSelector) {
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		require.NoError(n, err)
		if parsed.Matches(labels.Set(podLabels)) {
			names = append(names, name)
		}
	}
	ctx, options := n.Context(), metav1.ListOptions{}
	services, err := admin.CoreV1().Services(n.name).List(ctx, options)
	require.NoError(n, err)
	for _, o := range services.Items {
		if len(o.Spec.Selector) > 0 {
			see(o.Name, &metav1.LabelSelector{MatchLabels: o.Spec.Selector})
		}
	}
	controllers, err := admin.CoreV1().ReplicationControllers(n.name).List(ctx, options)
	require.NoError(n, err)
	for _, o := range controllers.Items {
		see(o.Name, &metav1.LabelSelector{MatchLabels: o.Spec.Selector})
	}
	replicaSets, err := admin.AppsV1().ReplicaSets(n.name).List(ctx, options)
	require.NoError(n, err)
	for _, o := range replicaSets.Items {
		see(o.Name, o.Spec.Selector)
	}
	daemonSets, err := admin.AppsV1().DaemonSets(n.name).List(ctx, options)
	require.NoError(n, err)
	for _, o := range daemonSets.Items {
		see(o.Name, o.Spec.Selector)
	}
	statefulSets, err := admin.AppsV1().StatefulSets(n.name).List(ctx, options)
	require.NoError(n, err)
	for _, o := range statefulSets.Items {
		see(o.Name, o.Spec.Selector)
	}
	jobs, err := admin.BatchV1().Jobs(n.name).List(ctx, options)
	require.NoError(n, err)
	for _, o := range jobs.Items {
		see(o.Name, o.Spec.Selector)
	}
	return names
}

// serving returns the names of the pods in a Service's EndpointSlices.
func (n *namespace) serving(service string) []string {
	n.Helper()
	list, err := admin.DiscoveryV1().EndpointSlices(n.name).List(n.Context(), metav1.ListOptions{
		LabelSelector: "kubernetes.io/service-name=" + service,
	})
	require.NoError(n, err)
	var names []string
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			names = append(names, endpoint.TargetRef.Name)
		}
	}
	return names
}

// serves waits until a Service has exactly that many endpoints and not this pod.
func (n *namespace) serves(service string, count int, without string) {
	n.Helper()
	n.until(func() bool {
		names := n.serving(service)
		return len(names) == count && !slices.Contains(names, without)
	}, "service %s has %d pods and not %s", service, count, without)
}
