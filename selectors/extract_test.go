package selectors

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/quarantine"
)

var (
	web   = map[string]string{"app": "web"}
	byApp = &metav1.LabelSelector{MatchLabels: web}
	named = metav1.ObjectMeta{Name: "web", UID: "uid"}
	three = new(int32(3))
)

func jobIn(conditionType batchv1.JobConditionType, status corev1.ConditionStatus) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Selector: byApp, Parallelism: three},
		Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: conditionType, Status: status}}}}
}

func TestExtractKeepsWhatADecisionNeeds(t *testing.T) {
	tests := []struct {
		name               string
		object             metav1.Object
		kind               schema.GroupKind
		desired, available int32
		ended              bool
	}{
		{"a Service", &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{Selector: web}},
			quarantine.KindService, 0, 0, false},
		{"a headless Service is a Service", &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{Selector: web, ClusterIP: corev1.ClusterIPNone}},
			quarantine.KindService, 0, 0, false},
		{"a ReplicationController", &corev1.ReplicationController{ObjectMeta: named,
			Spec:   corev1.ReplicationControllerSpec{Selector: web, Replicas: three},
			Status: corev1.ReplicationControllerStatus{Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 2}},
			quarantine.KindReplicationController, 3, 2, false},
		{"a ReplicaSet", &appsv1.ReplicaSet{ObjectMeta: named, Spec: appsv1.ReplicaSetSpec{Selector: byApp, Replicas: three},
			Status: appsv1.ReplicaSetStatus{Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 2}},
			quarantine.KindReplicaSet, 3, 2, false},
		{"an unset number of replicas is one", &appsv1.ReplicaSet{ObjectMeta: named, Spec: appsv1.ReplicaSetSpec{Selector: byApp}},
			quarantine.KindReplicaSet, 1, 0, false},
		{"the number of replicas may be 0", &appsv1.ReplicaSet{ObjectMeta: named, Spec: appsv1.ReplicaSetSpec{Selector: byApp, Replicas: new(int32(0))}},
			quarantine.KindReplicaSet, 0, 0, false},
		{"a StatefulSet", &appsv1.StatefulSet{ObjectMeta: named, Spec: appsv1.StatefulSetSpec{Selector: byApp, Replicas: three},
			Status: appsv1.StatefulSetStatus{Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 2}},
			quarantine.KindStatefulSet, 3, 2, false},
		{"a DaemonSet", &appsv1.DaemonSet{ObjectMeta: named, Spec: appsv1.DaemonSetSpec{Selector: byApp},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, NumberReady: 3, NumberAvailable: 2}},
			quarantine.KindDaemonSet, 3, 2, false},
		{"a Job", &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Selector: byApp, Parallelism: three},
			Status: batchv1.JobStatus{Active: 3, Ready: new(int32(2))}},
			quarantine.KindJob, 3, 2, false},
		{"the desired pods of a Job are at most its remaining completions", &batchv1.Job{ObjectMeta: named,
			Spec:   batchv1.JobSpec{Selector: byApp, Parallelism: three, Completions: new(int32(5))},
			Status: batchv1.JobStatus{Succeeded: 4}},
			quarantine.KindJob, 1, 0, false},
		{"a suspended Job has no desired pods", &batchv1.Job{ObjectMeta: named,
			Spec: batchv1.JobSpec{Selector: byApp, Parallelism: three, Suspend: new(true)}},
			quarantine.KindJob, 0, 0, false},
		{"a complete Job has no desired pods", jobIn(batchv1.JobComplete, corev1.ConditionTrue), quarantine.KindJob, 0, 0, true},
		{"a failed Job has no desired pods", jobIn(batchv1.JobFailed, corev1.ConditionTrue), quarantine.KindJob, 0, 0, true},
		{"an incomplete Job has desired pods", jobIn(batchv1.JobComplete, corev1.ConditionFalse), quarantine.KindJob, 3, 0, false},
		{"a resumed Job has desired pods", jobIn(batchv1.JobSuspended, corev1.ConditionTrue), quarantine.KindJob, 3, 0, false},
		{"a PodDisruptionBudget", &policyv1.PodDisruptionBudget{ObjectMeta: named, Spec: policyv1.PodDisruptionBudgetSpec{Selector: byApp}},
			quarantine.KindPodDisruptionBudget, 0, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Extract(test.object)
			require.NoError(t, err)
			require.True(t, matches(got.Requirements, web))
			require.False(t, matches(got.Requirements, map[string]string{"app": "api"}))
			require.False(t, matches(got.Requirements, nil))
			got.Requirements = nil
			require.Equal(t, &quarantine.SelectingObject{
				Kind: test.kind, Name: "web", UID: "uid", Desired: test.desired, Available: test.available,
				Current: got.Current, Ready: got.Ready, Ended: test.ended,
			}, got)
			if test.kind != quarantine.KindJob && got.Available > 0 {
				require.Equal(t, []int32{3, 3}, []int32{got.Current, got.Ready})
			}
		})
	}
}

func TestOnlyTheControllingOwnerIsTheController(t *testing.T) {
	deployment := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "1", Controller: new(true)}
	application := metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Application", Name: "shop", UID: "2"}
	for _, test := range []struct {
		name   string
		owners []metav1.OwnerReference
		want   *quarantine.Owner
	}{
		{"no owner", nil, nil},
		{"an owner that is not the controller", []metav1.OwnerReference{application}, nil},
		{"the controller after another owner", []metav1.OwnerReference{application, deployment},
			&quarantine.Owner{Kind: schema.GroupKind{Group: "apps", Kind: "Deployment"}, Name: "web", UID: "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Extract(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{OwnerReferences: test.owners}, Spec: appsv1.ReplicaSetSpec{Selector: byApp}})
			require.NoError(t, err)
			require.Equal(t, test.want, got.Controller)
		})
	}
}

func expression(operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: operator, Values: values}}}
}

// withSelector returns one object with this selector of each kind whose selector may have
// expressions, by kind.
func withSelector(selector *metav1.LabelSelector) map[string]metav1.Object {
	return map[string]metav1.Object{
		"ReplicaSet":          &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Selector: selector}},
		"StatefulSet":         &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Selector: selector}},
		"DaemonSet":           &appsv1.DaemonSet{Spec: appsv1.DaemonSetSpec{Selector: selector}},
		"Job":                 &batchv1.Job{Spec: batchv1.JobSpec{Selector: selector}},
		"PodDisruptionBudget": &policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{Selector: selector}},
	}
}

func TestExpressionsOfEveryKindAreEvaluated(t *testing.T) {
	both := expression(metav1.LabelSelectorOpExists)
	both.MatchLabels = map[string]string{"track": "stable"}
	pods := map[string]map[string]string{
		"web": web, "api": {"app": "api"}, "stable web": {"app": "web", "track": "stable"}, "unlabeled": nil, "stable": {"track": "stable"},
	}
	for _, test := range []struct {
		name     string
		selector *metav1.LabelSelector
		want     []string
	}{
		{"In", expression(metav1.LabelSelectorOpIn, "web", "db"), []string{"web", "stable web"}},
		{"NotIn", expression(metav1.LabelSelectorOpNotIn, "web", "db"), []string{"api", "unlabeled", "stable"}},
		{"Exists", expression(metav1.LabelSelectorOpExists), []string{"web", "api", "stable web"}},
		{"DoesNotExist", expression(metav1.LabelSelectorOpDoesNotExist), []string{"unlabeled", "stable"}},
		{"labels and expressions together", both, []string{"stable web"}},
		{"an empty selector matches all", &metav1.LabelSelector{}, []string{"web", "api", "stable web", "unlabeled", "stable"}},
	} {
		for kind, object := range withSelector(test.selector) {
			t.Run(test.name+" of a "+kind, func(t *testing.T) {
				s, err := Extract(object)
				require.NoError(t, err)
				var matching []string
				for name, podLabels := range pods {
					if matches(s.Requirements, podLabels) {
						matching = append(matching, name)
					}
				}
				require.ElementsMatch(t, test.want, matching)
			})
		}
	}
}

func TestAnObjectThatSelectsNothingIsLeftOut(t *testing.T) {
	objects := withSelector(nil)
	objects["Service"] = &corev1.Service{}
	objects["Service with an empty selector"] = &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{}}}
	objects["ReplicationController"] = &corev1.ReplicationController{}
	for kind, object := range objects {
		s, err := Extract(object)
		require.NoError(t, err, kind)
		require.Nil(t, s, kind)
	}
}

func TestAnInvalidSelectorOfAnyKindIsAnError(t *testing.T) {
	for kind, object := range withSelector(expression("Near")) {
		_, err := Extract(object)
		require.EqualError(t, err, `"Near" is not a valid label selector operator`, kind)
	}
	_, err := Extract(&corev1.Pod{})
	require.EqualError(t, err, "*v1.Pod does not select pods")
}

// The extracts of all objects are in memory before the first is stored.
func TestAnExtractDoesNotReferToItsObject(t *testing.T) {
	const size = 16 << 20
	objects := func() map[string]metav1.Object {
		all := withSelector(byApp)
		all["Service"] = &corev1.Service{Spec: corev1.ServiceSpec{Selector: web}}
		all["ReplicationController"] = &corev1.ReplicationController{Spec: corev1.ReplicationControllerSpec{Selector: web}}
		all["CloneSet"] = cloneSet(map[string]any{"app": "web"})
		all["EndpointSlice"] = slice("leader", podRef("db-0", "1"))
		all["NetworkPolicy"] = &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{PodSelector: *byApp}}
		return all
	}
	for kind := range objects() {
		before := heap()
		extract := extractOf(t, objects()[kind], size)
		require.Less(t, heap(), before+size/2, kind)
		runtime.KeepAlive(extract)
	}
}

// extractOf returns what is kept of an object that it makes large.
func extractOf(t *testing.T, object metav1.Object, size int) any {
	t.Helper()
	object.SetAnnotations(map[string]string{"large": strings.Repeat("x", size)})
	switch object.(type) {
	case *unstructured.Unstructured:
		extract := (&custom{Resource: cloneSets}).Extract(object)
		require.NoError(t, extract.err)
		return extract
	case *discoveryv1.EndpointSlice:
		return newEndpointSlices().Extract(object)
	}
	extract, err := Extract(object)
	require.NoError(t, err)
	return extract
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestExtractKeepsTheManagerOfAJob(t *testing.T) {
	for manager, want := range map[*string]string{
		nil: "", new(batchv1.JobControllerName): "", new("kueue.x-k8s.io/multikueue"): "kueue.x-k8s.io/multikueue",
	} {
		got, err := Extract(&batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Selector: byApp, ManagedBy: manager}})
		require.NoError(t, err)
		require.Equal(t, want, got.ManagedBy)
	}
}

// A new PodDisruptionBudget has no status yet, and one without pods allows 0 disruptions:
// neither blocks any.
func TestExtractKnowsWhetherAPodDisruptionBudgetAllowsADisruption(t *testing.T) {
	for _, test := range []struct {
		expected, allowed int32
		want              bool
	}{{3, 0, true}, {3, 1, false}, {0, 0, false}} {
		got, err := Extract(&policyv1.PodDisruptionBudget{ObjectMeta: named, Spec: policyv1.PodDisruptionBudgetSpec{Selector: byApp},
			Status: policyv1.PodDisruptionBudgetStatus{ExpectedPods: test.expected, DisruptionsAllowed: test.allowed}})
		require.NoError(t, err)
		require.Equal(t, test.want, got.NoDisruption)
	}
}
