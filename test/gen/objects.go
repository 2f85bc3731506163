package gen

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod returns a pod with one container.
func Pod(name string, options ...Option) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: Meta(name), Spec: spec()}
	All(options...)(pod)
	return pod
}

// PodMetadata returns a pod as a metadata client and metadata informers see it.
func PodMetadata(name string, options ...Option) *metav1.PartialObjectMetadata {
	pod := &metav1.PartialObjectMetadata{ObjectMeta: Meta(name)}
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	All(options...)(pod)
	return pod
}

// Service returns a Service that selects these labels.
func Service(name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: Meta(name), Spec: corev1.ServiceSpec{
		Selector: selector, Ports: []corev1.ServicePort{{Port: 80}},
	}}
}

// HeadlessService returns a Service without a cluster IP.
func HeadlessService(name string, selector map[string]string) *corev1.Service {
	service := Service(name, selector)
	service.Spec.ClusterIP = corev1.ClusterIPNone
	return service
}

// Deployment returns a Deployment whose pods have these labels.
func Deployment(name string, replicas int, labels map[string]string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: Meta(name), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(replicas)), Selector: Matching(labels), Template: Template(labels),
	}}
}

// ReplicaSet returns a ReplicaSet whose pods have these labels. It selects by the
// expressions if there are any, and otherwise by the labels.
func ReplicaSet(name string, replicas int, labels map[string]string, expressions ...metav1.LabelSelectorRequirement) *appsv1.ReplicaSet {
	selector := &metav1.LabelSelector{MatchExpressions: expressions}
	if len(expressions) == 0 {
		selector.MatchLabels = labels
	}
	return &appsv1.ReplicaSet{ObjectMeta: Meta(name), Spec: appsv1.ReplicaSetSpec{
		Replicas: new(int32(replicas)), Selector: selector, Template: Template(labels),
	}}
}

// ReplicationController returns a ReplicationController whose pods have these labels.
func ReplicationController(name string, replicas int, labels map[string]string) *corev1.ReplicationController {
	return &corev1.ReplicationController{ObjectMeta: Meta(name), Spec: corev1.ReplicationControllerSpec{
		Replicas: new(int32(replicas)), Selector: labels, Template: new(Template(labels)),
	}}
}

// StatefulSet returns a StatefulSet with one pod with these labels.
func StatefulSet(name string, labels map[string]string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: Meta(name), Spec: appsv1.StatefulSetSpec{
		Selector: Matching(labels), Template: Template(labels),
	}}
}

// DaemonSet returns a DaemonSet whose pods have these labels.
func DaemonSet(name string, labels map[string]string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: Meta(name), Spec: appsv1.DaemonSetSpec{
		Selector: Matching(labels), Template: Template(labels),
	}}
}

// Job returns a Job with one pod with these labels.
func Job(name string, labels map[string]string) *batchv1.Job {
	template := Template(labels)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return &batchv1.Job{ObjectMeta: Meta(name), Spec: batchv1.JobSpec{Template: template}}
}

// Template returns a pod template with these labels.
func Template(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec()}
}

// Matching returns a selector for exactly these labels.
func Matching(labels map[string]string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: labels}
}

// Requirement returns one expression of a selector.
func Requirement(key string, operator metav1.LabelSelectorOperator, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: values}
}

// Meta returns metadata with only a name.
func Meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

func spec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}}
}
