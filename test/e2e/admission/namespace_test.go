package admission

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
)

// Fixtures: what selects the pods, and what a release must restore.
var (
	podLabels = map[string]string{"app": "web", "team": "shop", "release": "stable", quarantine.InstanceLabel: "shop"}

	podAnnotations = map[string]string{
		quarantine.ArgoTrackingKey: "shop:apps/ReplicaSet:shop/web",
		quarantine.AutoscalerHint:  "true",
	}

	selected = map[string]map[string]string{"web": {"app": "web"}, "shop": {"team": "shop"}, "gold": {"tier": "gold"}}
)

const replicas = 2

// namespace is the namespace of one combination.
type namespace struct {
	*testing.T
	name         string
	thirdParties combination
	owner        types.UID

	// late is the selector of the Service that is created later.
	late map[string]string

	mu sync.Mutex
	// serving are the pods that each EndpointSlice has; out is the pod that must be
	// in none, and returned the slices that it came to be in nevertheless.
	serving  map[string][]string
	out      string
	returned []string
}

func createNamespace(ctx context.Context, prefix string, namespaceLabels map[string]string) (string, error) {
	created, err := admin.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix, Labels: namespaceLabels}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return created.Name, nil
}

// newNamespace creates a namespace in which the third parties act, with a ReplicaSet and Services
// that select its pods, and returns these pods.
func newNamespace(t *testing.T, c combination) (*namespace, []corev1.Pod) {
	t.Helper()
	namespaceLabels := map[string]string{domain + "keeper": "on"}
	for _, o := range c {
		namespaceLabels[o.label()] = "on"
	}
	name, err := createNamespace(t.Context(), "shop-", namespaceLabels)
	require.NoError(t, err)
	n := &namespace{T: t, name: name, thirdParties: c, serving: map[string][]string{}}
	n.watchEndpoints()
	for service, selector := range selected {
		n.serve(service, selector)
	}
	set, err := admin.AppsV1().ReplicaSets(n.name).Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32(replicas)), Selector: &metav1.LabelSelector{MatchLabels: selected["web"]},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: podAnnotations}, Spec: spec()},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	n.owner = set.UID
	pods := n.controlled()
	for i := range pods {
		waiting.Until(n, func() bool { return n.serves(pods[i].Name) }, "pod %s is in the Services", pods[i].Name)
	}
	return n, pods
}

func spec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}}
}

func (n *namespace) serve(service string, selector map[string]string) {
	n.Helper()
	_, err := admin.CoreV1().Services(n.name).Create(n.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: selector, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(n, err)
}

// controlled waits until all pods of the ReplicaSet run, and returns them.
func (n *namespace) controlled() []corev1.Pod {
	n.Helper()
	var pods []corev1.Pod
	defer func() {
		if n.Failed() {
			n.logAll()
		}
	}()
	waiting.Until(n, func() bool {
		list, err := admin.CoreV1().Pods(n.name).List(n.Context(), metav1.ListOptions{})
		require.NoError(n, err)
		pods = slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
			controller := metav1.GetControllerOf(&pod)
			return controller == nil || controller.UID != n.owner || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning
		})
		return len(pods) == replicas
	}, "the ReplicaSet has %d pods", replicas)
	return pods
}

// logAll logs the pods and the events of the namespace.
func (n *namespace) logAll() {
	ctx := context.WithoutCancel(n.Context())
	if pods, err := admin.CoreV1().Pods(n.name).List(ctx, metav1.ListOptions{}); err == nil {
		for _, pod := range pods.Items {
			n.Logf("pod %s: %s, labels %v, owners %v", pod.Name, pod.Status.Phase, pod.Labels, pod.OwnerReferences)
		}
	}
	if events, err := admin.CoreV1().Events(n.name).List(ctx, metav1.ListOptions{}); err == nil {
		for _, event := range events.Items {
			n.Logf("event on %s: %s: %s", event.InvolvedObject.Name, event.Reason, event.Message)
		}
	}
}

// selecting names the Services and the ReplicaSet that select these labels.
func (n *namespace) selecting(of map[string]string) []string {
	var names []string
	for service, selector := range selected {
		if labels.SelectorFromSet(selector).Matches(labels.Set(of)) {
			names = append(names, "Service/"+service)
		}
	}
	if labels.SelectorFromSet(selected["web"]).Matches(labels.Set(of)) {
		names = append(names, "ReplicaSet/web")
	}
	if n.late != nil && labels.SelectorFromSet(n.late).Matches(labels.Set(of)) {
		names = append(names, "Service/late")
	}
	return names
}

// watchEndpoints follows the namespace's EndpointSlices until the test ends.
func (n *namespace) watchEndpoints() {
	n.Helper()
	changes, err := admin.DiscoveryV1().EndpointSlices(n.name).Watch(n.Context(), metav1.ListOptions{})
	require.NoError(n, err)
	n.Cleanup(changes.Stop)
	go func() {
		for change := range changes.ResultChan() {
			if slice, ok := change.Object.(*discoveryv1.EndpointSlice); ok {
				n.follow(slice)
			}
		}
	}()
}

func (n *namespace) follow(slice *discoveryv1.EndpointSlice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for _, endpoint := range slice.Endpoints {
		if endpoint.TargetRef != nil {
			names = append(names, endpoint.TargetRef.Name)
		}
	}
	n.serving[slice.Name] = names
	service := slice.Labels[discoveryv1.LabelServiceName]
	if service != "late" && n.out != "" && slices.Contains(names, n.out) {
		n.returned = append(n.returned, service)
	}
}

// serves reports whether any EndpointSlice has the pod.
func (n *namespace) serves(pod string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, names := range n.serving {
		if slices.Contains(names, pod) {
			return true
		}
	}
	return false
}

// mustStayOut requires that no EndpointSlice gets the pod from now on; empty for no pod.
func (n *namespace) mustStayOut(pod string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out = pod
}

func (n *namespace) requireStayedOut() {
	n.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Empty(n, n.returned, "the quarantined pod came back into Services")
}
