package selectors

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
)

var (
	web    = map[string]string{"app": "web"}
	byApp  = &metav1.LabelSelector{MatchLabels: web}
	named  = metav1.ObjectMeta{Name: "web", UID: "uid"}
	other  = map[string]string{"app": "other"}
	finish = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
)

func TestExtractKeepsWhatADecisionNeeds(t *testing.T) {
	deployment := &quarantine.Owner{Kind: quarantine.KindReplicaSet, Name: "web", UID: "1"}
	deployment.Kind.Kind = "Deployment"
	owned := named
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "1", Controller: ptr.To(true)}}
	tests := []struct {
		name   string
		object metav1.Object
		want   quarantine.Selector
	}{
		{"service", &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{Selector: web}},
			quarantine.Selector{Kind: quarantine.KindService}},
		{"headless service", &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{Selector: web, ClusterIP: corev1.ClusterIPNone}},
			quarantine.Selector{Kind: quarantine.KindService}},
		{"replication controller", &corev1.ReplicationController{ObjectMeta: named,
			Spec:   corev1.ReplicationControllerSpec{Selector: web, Replicas: ptr.To(int32(3))},
			Status: corev1.ReplicationControllerStatus{AvailableReplicas: 2}},
			quarantine.Selector{Kind: quarantine.KindReplicationController, Desired: 3, Available: 2}},
		{"replica set of a deployment", &appsv1.ReplicaSet{ObjectMeta: owned,
			Spec:   appsv1.ReplicaSetSpec{Selector: byApp, Replicas: ptr.To(int32(3))},
			Status: appsv1.ReplicaSetStatus{AvailableReplicas: 2}},
			quarantine.Selector{Kind: quarantine.KindReplicaSet, Desired: 3, Available: 2, Controller: deployment}},
		{"replicas are one unless set", &appsv1.ReplicaSet{ObjectMeta: named, Spec: appsv1.ReplicaSetSpec{Selector: byApp}},
			quarantine.Selector{Kind: quarantine.KindReplicaSet, Desired: 1}},
		{"stateful set", &appsv1.StatefulSet{ObjectMeta: named,
			Spec:   appsv1.StatefulSetSpec{Selector: byApp, Replicas: ptr.To(int32(3))},
			Status: appsv1.StatefulSetStatus{AvailableReplicas: 2}},
			quarantine.Selector{Kind: quarantine.KindStatefulSet, Desired: 3, Available: 2}},
		{"daemon set", &appsv1.DaemonSet{ObjectMeta: named, Spec: appsv1.DaemonSetSpec{Selector: byApp},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, NumberAvailable: 2}},
			quarantine.Selector{Kind: quarantine.KindDaemonSet, Desired: 3, Available: 2}},
		{"job", &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Selector: byApp, Parallelism: ptr.To(int32(3))},
			Status: batchv1.JobStatus{Ready: ptr.To(int32(2))}},
			quarantine.Selector{Kind: quarantine.KindJob, Desired: 3, Available: 2}},
		{"suspended job", &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Selector: byApp, Suspend: ptr.To(true)}},
			quarantine.Selector{Kind: quarantine.KindJob}},
		{"finished job", &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Selector: byApp}, Status: batchv1.JobStatus{Conditions: finish}},
			quarantine.Selector{Kind: quarantine.KindJob}},
		{"disruption budget", &policyv1.PodDisruptionBudget{ObjectMeta: named, Spec: policyv1.PodDisruptionBudgetSpec{Selector: byApp}},
			quarantine.Selector{Kind: quarantine.KindPodDisruptionBudget}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := strip(test.object)
			require.NoError(t, err)
			got, err := extract(test.object)
			require.NoError(t, err)
			require.True(t, matches(got.Requirements, web))
			require.False(t, matches(got.Requirements, other))
			got.Requirements = nil
			test.want.Name, test.want.UID = "web", "uid"
			require.Equal(t, &test.want, got)
		})
	}
}

func TestExtractUnderstandsExpressions(t *testing.T) {
	expression := func(operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: operator, Values: values}}}
	}
	for _, test := range []struct {
		name           string
		selector       *metav1.LabelSelector
		web, api, none bool
	}{
		{"in", expression(metav1.LabelSelectorOpIn, "web", "db"), true, false, false},
		{"notin", expression(metav1.LabelSelectorOpNotIn, "web"), false, true, true},
		{"exists", expression(metav1.LabelSelectorOpExists), true, true, false},
		{"does not exist", expression(metav1.LabelSelectorOpDoesNotExist), false, false, true},
		{"empty, as a disruption budget for all pods has it", &metav1.LabelSelector{}, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := extract(&policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{Selector: test.selector}})
			require.NoError(t, err)
			require.Equal(t, test.web, matches(s.Requirements, web))
			require.Equal(t, test.api, matches(s.Requirements, map[string]string{"app": "api"}))
			require.Equal(t, test.none, matches(s.Requirements, nil))
		})
	}
}

func TestWhatSelectsNothingIsLeftOut(t *testing.T) {
	for name, object := range map[string]metav1.Object{
		"service without a selector":           &corev1.Service{},
		"disruption budget without a selector": &policyv1.PodDisruptionBudget{},
	} {
		s, err := extract(object)
		require.NoError(t, err, name)
		require.Nil(t, s, name)
	}
}

func TestASelectorThatIsNotUnderstoodIsAnError(t *testing.T) {
	_, err := extract(&appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}},
	}}})
	require.EqualError(t, err, `"Near" is not a valid label selector operator`)
	_, err = extract(&corev1.Pod{})
	require.EqualError(t, err, "*v1.Pod binds no pods")
}

func TestATemplateIsNotKept(t *testing.T) {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels.Set(web)}}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Labels: web, Annotations: web}, Spec: appsv1.ReplicaSetSpec{Template: template}}
	_, err := strip(set)
	require.NoError(t, err)
	require.Empty(t, set.Spec.Template)
	require.Empty(t, set.Labels)
	require.Empty(t, set.Annotations)
}
