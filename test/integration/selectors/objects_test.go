package selectors

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

// example is an object of a selecting kind.
type example struct {
	kind schema.GroupKind

	// object returns an object that selects pods with these labels.
	object func(meta metav1.ObjectMeta, selected labels) client.Object

	// desired is the number of pods that a new object wants.
	desired int32

	// scale sets three desired and two available pods, in spec and status; nil for a
	// kind without replicas.
	scale func(client.Object)

	// selectOther changes the selector; nil if it is immutable.
	selectOther func(object client.Object, selected labels)
}

var examples = []example{
	{
		kind: quarantine.KindService,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: selected, Ports: []corev1.ServicePort{{Port: 80}}}}
		},
		selectOther: func(o client.Object, selected labels) { o.(*corev1.Service).Spec.Selector = selected },
	},
	{
		kind: quarantine.KindReplicaSet,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			return &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selecting(selected), Template: template(selected)}}
		},
		desired: 1,
		scale: func(o client.Object) {
			set := o.(*appsv1.ReplicaSet)
			set.Spec.Replicas = new(int32(3))
			set.Status = appsv1.ReplicaSetStatus{Replicas: 3, ReadyReplicas: 2, AvailableReplicas: 2}
		},
	},
	{
		kind: quarantine.KindStatefulSet,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			return &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selecting(selected), Template: template(selected)}}
		},
		desired: 1,
		scale: func(o client.Object) {
			set := o.(*appsv1.StatefulSet)
			set.Spec.Replicas = new(int32(3))
			set.Status = appsv1.StatefulSetStatus{Replicas: 3, ReadyReplicas: 2, AvailableReplicas: 2}
		},
	},
	{
		kind: quarantine.KindDaemonSet,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			return &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selecting(selected), Template: template(selected)}}
		},
		scale: func(o client.Object) {
			o.(*appsv1.DaemonSet).Status = appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, NumberReady: 2, NumberAvailable: 2}
		},
	},
	{
		kind: quarantine.KindJob,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			once := template(selected)
			once.Spec.RestartPolicy = corev1.RestartPolicyNever
			return &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{
				Completions: new(int32(3)), Parallelism: new(int32(1)),
				Selector: selecting(selected), Template: once, ManualSelector: new(true),
			}}
		},
		desired: 1,
		scale: func(o client.Object) {
			job := o.(*batchv1.Job)
			job.Spec.Parallelism = new(int32(3))
			job.Status = batchv1.JobStatus{Active: 3, Ready: new(int32(2))}
		},
	},
	{
		kind: quarantine.KindReplicationController,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			return &corev1.ReplicationController{ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: selected, Template: new(template(selected))}}
		},
		desired: 1,
		scale: func(o client.Object) {
			controller := o.(*corev1.ReplicationController)
			controller.Spec.Replicas = new(int32(3))
			controller.Status = corev1.ReplicationControllerStatus{Replicas: 3, ReadyReplicas: 2, AvailableReplicas: 2}
		},
		selectOther: func(o client.Object, selected labels) {
			controller := o.(*corev1.ReplicationController)
			controller.Spec.Selector, controller.Spec.Template.Labels = selected, selected
		},
	},
	{
		kind: quarantine.KindPodDisruptionBudget,
		object: func(meta metav1.ObjectMeta, selected labels) client.Object {
			return &policyv1.PodDisruptionBudget{ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{Selector: selecting(selected)}}
		},
		selectOther: func(o client.Object, selected labels) {
			o.(*policyv1.PodDisruptionBudget).Spec.Selector = selecting(selected)
		},
	},
}

// createEach creates an object of each kind that selects blue pods, with these owners.
// It returns them in the order of the matches.
func createEach(t *testing.T, namespace, name string, owners ...metav1.OwnerReference) (objects []client.Object, known []match) {
	t.Helper()
	for _, example := range examples {
		object := example.object(metav1.ObjectMeta{Namespace: namespace, Name: name, OwnerReferences: owners}, blue)
		create(t, object)
		objects = append(objects, object)
		known = append(known, match{object: example.kind.Kind + "/" + name, uid: object.GetUID(), desired: example.desired})
	}
	return objects, known
}

func selecting(selected labels) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: selected}
}

func template(selected labels) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: selected},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
}
