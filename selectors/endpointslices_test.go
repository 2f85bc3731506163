package selectors

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// slice returns an EndpointSlice that names these pods.
func slice(name string, pods ...corev1.ObjectReference) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{
			discoveryv1.LabelServiceName: "leader", discoveryv1.LabelManagedBy: "failover.example.com",
		}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}, {TargetRef: &corev1.ObjectReference{Kind: "Node", Name: "db-0"}}},
	}
	for _, pod := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{TargetRef: &pod})
	}
	return s
}

func podRef(name string, uid types.UID) corev1.ObjectReference {
	return corev1.ObjectReference{Kind: "Pod", Namespace: "ns", Name: name, UID: uid}
}

// setSlice stores an EndpointSlice.
func (ix *Index) setSlice(s *discoveryv1.EndpointSlice) {
	ix.slices.Set(s.Namespace, s.Name, ix.slices.Extract(s))
}

// naming returns the names of the EndpointSlices that name a pod.
func naming(t *testing.T, ix *Index, namespace, pod string, uid types.UID) []string {
	t.Helper()
	known, err := ix.Namespace(namespace)
	require.NoError(t, err)
	var names []string
	for _, s := range known.EndpointSlices(pod, uid) {
		require.Equal(t, &quarantine.EndpointSlice{Name: s.Name, Service: "leader", ManagedBy: "failover.example.com"}, s)
		names = append(names, s.Name)
	}
	return names
}

func TestEndpointSlicesAreFoundByThePodsThatTheyName(t *testing.T) {
	ix := NewIndex()
	ix.setSlice(slice("b", podRef("db-0", "1"), podRef("db-1", "2")))
	ix.setSlice(slice("a", podRef("db-0", "")))
	ix.setSlice(slice("c", corev1.ObjectReference{Kind: "Pod", Name: "db-0"}))
	ix.setSlice(slice("d", corev1.ObjectReference{Kind: "Pod", Namespace: "other", Name: "db-0"}))
	require.Equal(t, []string{"a", "b", "c"}, naming(t, ix, "ns", "db-0", "1"))
	require.Equal(t, []string{"a", "c"}, naming(t, ix, "ns", "db-0", "3"), "a slice may name an earlier pod of the same name")
	require.Equal(t, []string{"b"}, naming(t, ix, "ns", "db-1", "2"))
	require.Equal(t, []string{"d"}, naming(t, ix, "other", "db-0", "1"))
	require.Empty(t, naming(t, ix, "ns", "db-2", ""))
}

func TestEndpointSlicesFollowChanges(t *testing.T) {
	ix := NewIndex()
	ix.setSlice(slice("leader", podRef("db-0", "1")))
	ix.setSlice(slice("leader", podRef("db-1", "2")))
	require.Empty(t, naming(t, ix, "ns", "db-0", "1"))
	require.Equal(t, []string{"leader"}, naming(t, ix, "ns", "db-1", "2"))
	ix.slices.Delete("ns", "leader")
	require.Empty(t, naming(t, ix, "ns", "db-1", "2"))
	ix.setSlice(slice("goes", podRef("db-0", "1")))
	ix.setSlice(slice("stays", podRef("db-0", "1")))
	ix.slices.Retain(func(_, name string) bool { return name == "stays" })
	require.Equal(t, []string{"stays"}, naming(t, ix, "ns", "db-0", "1"))
	ix.setSlice(slice("stays"))
	require.Empty(t, ix.slices.byPod)
	require.Empty(t, ix.slices.pods)
}
