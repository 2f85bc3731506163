//go:build linux

package node

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"isolate.example.io/test/framework/node"
	"isolate.example.io/test/gen"
)

const port = 8080

// web are the labels of the application that the tests quarantine.
var web = map[string]string{"app": "web"}

// server returns a pod's spec with the workload as its container.
func server(options ...func(*corev1.PodSpec)) corev1.PodSpec {
	spec := corev1.PodSpec{
		// The shortest wait for a container that ignores SIGTERM.
		TerminationGracePeriodSeconds: new(int64(2)),
		Containers: []corev1.Container{{
			Name: "web", Image: node.WorkloadImage, Args: []string{"serve"}, Ports: []corev1.ContainerPort{{ContainerPort: port}},
			ReadinessProbe: probe(),
		}},
	}
	for _, option := range options {
		option(&spec)
	}
	return spec
}

// probe fails at the first answer that is an error. A busy machine answers late.
func probe() *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(port)}},
		PeriodSeconds: 1, FailureThreshold: 1, TimeoutSeconds: 10,
	}
}

// withLiveness restarts the container when it says that it is unhealthy.
func withLiveness(spec *corev1.PodSpec) { spec.Containers[0].LivenessProbe = probe() }

func withMemoryLimit(spec *corev1.PodSpec) {
	spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
}

func ignoringSIGTERM(spec *corev1.PodSpec) {
	spec.Containers[0].Args = append(spec.Containers[0].Args, "--ignore-sigterm")
}

// deploy creates the application, a Deployment and its Service, and returns its Ready pods.
func (n *namespace) deploy(replicas int, options ...func(*corev1.PodSpec)) []corev1.Pod {
	n.Helper()
	deployment := gen.Deployment("web", replicas, web)
	deployment.Spec.Template.Spec = server(options...)
	_, err := admin.AppsV1().Deployments(n.name).Create(n.Context(), deployment, metav1.CreateOptions{})
	require.NoError(n, err)
	service := gen.Service("web", web)
	service.Spec.Ports[0].TargetPort = intstr.FromInt32(port)
	_, err = admin.CoreV1().Services(n.name).Create(n.Context(), service, metav1.CreateOptions{})
	require.NoError(n, err)
	return n.ready("app=web", replicas)
}

// service returns the address of the application's Service.
func (n *namespace) service() string {
	n.Helper()
	service, err := admin.CoreV1().Services(n.name).Get(n.Context(), "web", metav1.GetOptions{})
	require.NoError(n, err)
	return "http://" + service.Spec.ClusterIP
}

// client creates a pod that is in no Service.
func (n *namespace) client(name string) *corev1.Pod {
	n.Helper()
	pod := gen.Pod(name)
	pod.Spec = server()
	_, err := admin.CoreV1().Pods(n.name).Create(n.Context(), pod, metav1.CreateOptions{})
	require.NoError(n, err)
	n.until(func() bool { return ready(n.pod(name)) }, "pod %s is Ready", name)
	return n.pod(name)
}
