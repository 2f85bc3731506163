package shop

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

// Name is the name of the Deployment and the Service, and the value of their pods' label app.
const Name = "web"

// Shop is the workload.
type Shop struct {
	testing.TB

	// Namespace is the name of the namespace, which is the test's own.
	Namespace string

	admin kubernetes.Interface
}

// Open creates the workload with this many pods and returns once all of them serve.
func Open(t testing.TB, admin kubernetes.Interface, replicas int, options ...gen.Option) *Shop {
	t.Helper()
	ctx, create := t.Context(), metav1.CreateOptions{}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	gen.All(options...)(namespace)
	namespace, err := admin.CoreV1().Namespaces().Create(ctx, namespace, create)
	require.NoError(t, err)
	s := &Shop{TB: t, Namespace: namespace.Name, admin: admin}
	labels := map[string]string{"app": Name}
	_, err = admin.CoreV1().Services(s.Namespace).Create(ctx, gen.Service(Name, labels), create)
	require.NoError(t, err)
	_, err = admin.AppsV1().Deployments(s.Namespace).Create(ctx, gen.Deployment(Name, replicas, labels), create)
	require.NoError(t, err)
	waiting.Until(t, func() bool { return len(s.Serving()) == replicas }, "%d pods of %s serve", replicas, s.Namespace)
	return s
}

// Pods returns the pods that match the selector, by name.
func (s *Shop) Pods(selector string) []corev1.Pod {
	s.Helper()
	list, err := s.admin.CoreV1().Pods(s.Namespace).List(s.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(s, err)
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// Pod returns a pod.
func (s *Shop) Pod(name string) *corev1.Pod {
	s.Helper()
	pod, err := s.admin.CoreV1().Pods(s.Namespace).Get(s.Context(), name, metav1.GetOptions{})
	require.NoError(s, err)
	return pod
}

// Serving returns the names of the pods that get the Service's traffic.
func (s *Shop) Serving() []string {
	s.Helper()
	list, err := s.admin.DiscoveryV1().EndpointSlices(s.Namespace).List(s.Context(), metav1.ListOptions{
		LabelSelector: "kubernetes.io/service-name=" + Name,
	})
	require.NoError(s, err)
	var names []string
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready != nil && *ready {
				names = append(names, endpoint.TargetRef.Name)
			}
		}
	}
	return names
}

// Quarantined returns the names of the quarantined pods.
func (s *Shop) Quarantined() []string {
	s.Helper()
	var names []string
	for _, pod := range s.Pods(quarantine.QuarantinedLabel) {
		names = append(names, pod.Name)
	}
	return names
}

// UntilOut waits until the pod is quarantined and gets no traffic, and returns it.
func (s *Shop) UntilOut(pod string) *corev1.Pod {
	s.Helper()
	waiting.Until(s, func() bool {
		return slices.Contains(s.Quarantined(), pod) && !slices.Contains(s.Serving(), pod)
	}, "pod %s is quarantined and gets no traffic", pod)
	return s.Pod(pod)
}
