package plugin

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/gen"
)

// web are the labels of the application that the tests quarantine.
var web = map[string]string{"app": "web", "release": "stable"}

// deployWeb creates the application: a Deployment and two Services that select it by
// different labels. It returns the name of one of its pods.
func (n *namespace) deployWeb(replicas int) string {
	n.Helper()
	for name, key := range map[string]string{"web": "app", "web-metrics": "release"} {
		n.createService(name, map[string]string{key: web[key]})
	}
	_, err := admin.AppsV1().Deployments(n.name).Create(n.Context(), gen.Deployment("web", replicas, web), metav1.CreateOptions{})
	require.NoError(n, err)
	pod := n.running("app=web", replicas)[0].Name
	n.until(func() bool {
		list, err := admin.DiscoveryV1().EndpointSlices(n.name).List(n.Context(), metav1.ListOptions{})
		require.NoError(n, err)
		having := 0
		for _, slice := range list.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.TargetRef.Name == pod {
					having++
				}
			}
		}
		return having == 2
	}, "both Services have the pod")
	return pod
}

func (n *namespace) createService(name string, selector map[string]string) {
	n.Helper()
	_, err := admin.CoreV1().Services(n.name).Create(n.Context(), gen.Service(name, selector), metav1.CreateOptions{})
	require.NoError(n, err)
}

func (n *namespace) createPod(pod *corev1.Pod) {
	n.Helper()
	_, err := admin.CoreV1().Pods(n.name).Create(n.Context(), pod, metav1.CreateOptions{})
	require.NoError(n, err)
	n.until(func() bool { return n.pod(pod.Name).Status.Phase == corev1.PodRunning }, "pod %s runs", pod.Name)
}
