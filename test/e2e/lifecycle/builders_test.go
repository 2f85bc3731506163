package lifecycle

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

func matching(pairs map[string]string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: pairs}
}

func spec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}}
}

func template(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec()}
}

func barePod(name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: spec()}
}

func deployment(name string, replicas int, labels map[string]string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: named(name), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(replicas)), Selector: matching(labels), Template: template(labels),
	}}
}

func replicaSet(name string, replicas int, labels map[string]string, expressions ...metav1.LabelSelectorRequirement) *appsv1.ReplicaSet {
	selector := &metav1.LabelSelector{MatchExpressions: expressions}
	if len(expressions) == 0 {
		selector.MatchLabels = labels
	}
	return &appsv1.ReplicaSet{ObjectMeta: named(name), Spec: appsv1.ReplicaSetSpec{
		Replicas: new(int32(replicas)), Selector: selector, Template: template(labels),
	}}
}

func replicationController(name string, replicas int, labels map[string]string) *corev1.ReplicationController {
	return &corev1.ReplicationController{ObjectMeta: named(name), Spec: corev1.ReplicationControllerSpec{
		Replicas: new(int32(replicas)), Selector: labels, Template: new(template(labels)),
	}}
}

func daemonSet(name string, labels map[string]string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: named(name), Spec: appsv1.DaemonSetSpec{
		Selector: matching(labels), Template: template(labels),
	}}
}

func job(name string, labels map[string]string) *batchv1.Job {
	pods := template(labels)
	pods.Spec.RestartPolicy = corev1.RestartPolicyNever
	return &batchv1.Job{ObjectMeta: named(name), Spec: batchv1.JobSpec{Template: pods}}
}

func service(name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: named(name), Spec: corev1.ServiceSpec{
		Selector: selector, Ports: []corev1.ServicePort{{Port: 80}},
	}}
}

func headless(name string, selector map[string]string) *corev1.Service {
	s := service(name, selector)
	s.Spec.ClusterIP = corev1.ClusterIPNone
	return s
}

func requires(key string, operator metav1.LabelSelectorOperator, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: values}
}

func statefulSet(name string, labels map[string]string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: named(name), Spec: appsv1.StatefulSetSpec{
		Selector: matching(labels), Template: template(labels),
	}}
}

// ownedByConfigMap returns a pod whose controller is of a kind that isolate doesn't know.
func ownedByConfigMap(name string, labels map[string]string) *corev1.Pod {
	pod := barePod(name, labels)
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "ConfigMap", Name: "settings", Controller: new(true),
	}}
	return pod
}
