package workload

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// spec returns the spec of the app's pods: the app with a proxy sidecar.
func (a App) spec() corev1.PodSpec {
	app := a.container("app", 8080)
	for i := range 20 {
		app.Env = append(app.Env, corev1.EnvVar{
			Name:  fmt.Sprintf("PAYMENTS_SETTING_%02d", i),
			Value: fmt.Sprintf("https://settings.shop.svc.cluster.local/v1/%s/%d", a.Name(), i),
		})
	}
	app.Env = append(app.Env, corev1.EnvVar{Name: "DATABASE_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: a.Name() + "-database"}, Key: "password",
	}}})
	return corev1.PodSpec{
		Containers:         []corev1.Container{app, a.container("proxy", 15001)},
		ServiceAccountName: "default",
		SchedulerName:      "nobody",
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey:   corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": a.Name()}},
			}}},
		}},
		Volumes: []corev1.Volume{
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: a.Name()},
			}}},
		},
	}
}

func (a App) container(name string, port int32) corev1.Container {
	probe := &corev1.Probe{PeriodSeconds: 10, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/healthz", Port: intstr.FromInt32(port),
	}}}
	resources := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")}
	return corev1.Container{
		Name:           name,
		Image:          "registry.example.com/shop/" + name + "@sha256:0a4f1d7c9e2b6a8350f1c2d3e4b5a69788796a5b4c3d2e1f0a4f1d7c9e2b6a83",
		Args:           []string{"--config=/etc/payments/config.yaml", "--log-format=json", "--shutdown-delay=10s"},
		Ports:          []corev1.ContainerPort{{Name: "http-" + name, ContainerPort: port, Protocol: corev1.ProtocolTCP}},
		Resources:      corev1.ResourceRequirements{Requests: resources, Limits: resources},
		LivenessProbe:  probe,
		ReadinessProbe: probe,
		VolumeMounts:   []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp"}, {Name: "config", MountPath: "/etc/payments"}},
	}
}

// Run sets the status that a kubelet would write.
func Run(pod *corev1.Pod) *corev1.Pod {
	now := metav1.NewTime(time.Now())
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now, QOSClass: corev1.PodQOSGuaranteed,
		HostIP: "10.0.12.34", PodIP: "10.244.12.34", PodIPs: []corev1.PodIP{{IP: "10.244.12.34"}},
	}
	for _, condition := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
	} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now,
		})
	}
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: true,
			ContainerID: "containerd://9b2c7d1e0f3a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4",
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return pod
}
