package selectors

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var decoder = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

// prunedObjects returns an object of each kind that is pruned, with a value in every field that
// an extract depends on.
func prunedObjects() []runtime.Object {
	labels := map[string]string{"app": "web"}
	about := metav1.ObjectMeta{
		Name: "web", Namespace: "shop", UID: "uid", ResourceVersion: "7", Labels: labels, Annotations: map[string]string{"note": "kept"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "owner", Controller: new(true)}},
		ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1("{}")}},
	}
	selector := &metav1.LabelSelector{MatchLabels: labels, MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpExists}}}
	template := corev1.PodTemplateSpec{ObjectMeta: about, Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "web", Image: "web:1"}}}}
	return []runtime.Object{
		&corev1.Service{ObjectMeta: about, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}},
		&corev1.ReplicationController{
			ObjectMeta: about, Spec: corev1.ReplicationControllerSpec{Replicas: new(int32(3)), Selector: labels, Template: &template},
			Status: corev1.ReplicationControllerStatus{Replicas: 2, ReadyReplicas: 1, AvailableReplicas: 1},
		},
		&appsv1.ReplicaSet{
			ObjectMeta: about, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(3)), Selector: selector, Template: template},
			Status: appsv1.ReplicaSetStatus{Replicas: 2, ReadyReplicas: 1, AvailableReplicas: 1},
		},
		&appsv1.StatefulSet{
			ObjectMeta: about, Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3)), Selector: selector, Template: template, ServiceName: "web"},
			Status: appsv1.StatefulSetStatus{Replicas: 2, ReadyReplicas: 1, AvailableReplicas: 1},
		},
		&appsv1.DaemonSet{
			ObjectMeta: about, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template, MinReadySeconds: 5},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, CurrentNumberScheduled: 2, NumberReady: 1, NumberAvailable: 1},
		},
		&batchv1.Job{
			ObjectMeta: about, Spec: batchv1.JobSpec{Parallelism: new(int32(3)), Selector: selector, Template: template, Suspend: new(true), ManagedBy: new("other")},
			Status: batchv1.JobStatus{Active: 2, Ready: new(int32(1)), Succeeded: 1, Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}},
		},
		&policyv1.PodDisruptionBudget{
			ObjectMeta: about, Spec: policyv1.PodDisruptionBudgetSpec{Selector: selector},
			Status: policyv1.PodDisruptionBudgetStatus{ExpectedPods: 3, DisruptionsAllowed: 1},
		},
		&networkingv1.NetworkPolicy{ObjectMeta: about, Spec: networkingv1.NetworkPolicySpec{PodSelector: *selector, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}},
		&discoveryv1.EndpointSlice{
			ObjectMeta: about, AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "web"}}},
		},
	}
}

// encoded returns an object, or a list of two, as an API server sends it.
func encoded(t *testing.T, object runtime.Object, list bool) []byte {
	t.Helper()
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	require.NoError(t, err)
	kind := kinds[0]
	if list {
		items := []runtime.Object{object, object}
		kind.Kind += "List"
		object, err = scheme.Scheme.New(kind)
		require.NoError(t, err)
		require.NoError(t, meta.SetList(object, items))
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	data, err := runtime.Encode(decoder, object)
	require.NoError(t, err)
	return data
}

// removePruned removes from an object what is pruned.
func removePruned(t *testing.T, object runtime.Object) {
	t.Helper()
	about, err := meta.Accessor(object)
	require.NoError(t, err)
	about.SetManagedFields(nil)
	if spec := reflect.ValueOf(object).Elem().FieldByName("Spec"); spec.IsValid() {
		if template := spec.FieldByName("Template"); template.IsValid() {
			template.SetZero()
		}
	}
}

func TestPruningDropsTemplatesAndManagedFieldsOnly(t *testing.T) {
	objects := prunedObjects()
	require.Len(t, prunedKinds, 2*len(objects))
	for _, object := range objects {
		for _, list := range []bool{false, true} {
			data := encoded(t, object.DeepCopyObject(), list)
			want, kind, err := decoder.Decode(data, nil, nil)
			require.NoError(t, err)
			t.Run(kind.Kind, func(t *testing.T) {
				got, gotKind, err := pruner{decoder}.Decode(data, nil, nil)
				require.NoError(t, err)
				require.Equal(t, kind, gotKind)
				require.NotEqual(t, want, got)
				if list {
					require.NoError(t, meta.EachListItem(want, func(o runtime.Object) error {
						removePruned(t, o)
						return nil
					}))
				} else {
					removePruned(t, want)
				}
				require.Equal(t, want, got)
			})
		}
	}
}

func TestWhatCannotBePrunedIsDecodedAsItIs(t *testing.T) {
	status := &metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Reason: metav1.StatusReasonExpired}
	data, err := runtime.Encode(decoder, status)
	require.NoError(t, err)
	got, _, err := pruner{decoder}.Decode(data, nil, nil)
	require.NoError(t, err)
	want, _, err := decoder.Decode(data, nil, nil)
	require.NoError(t, err)
	require.Equal(t, want, got)

	whole := encoded(t, prunedObjects()[2], false)
	for size := range whole {
		_, _, want := decoder.Decode(slices.Clone(whole[:size]), nil, nil)
		_, _, err := pruner{decoder}.Decode(slices.Clone(whole[:size]), nil, nil)
		require.Equal(t, want, err, "%d bytes", size)
	}
}

func TestOnlyProtobufIsPruned(t *testing.T) {
	for i, info := range (pruning{scheme.Codecs.WithoutConversion()}).SupportedMediaTypes() {
		_, pruned := info.Serializer.(pruner)
		require.Equal(t, info.MediaType == runtime.ContentTypeProtobuf, pruned)
		require.Equal(t, scheme.Codecs.SupportedMediaTypes()[i].StreamSerializer, info.StreamSerializer)
	}
}
