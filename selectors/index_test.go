package selectors

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"

	"isolate.example.io/quarantine"
)

// kinds are in the order of the matches.
var kinds = []schema.GroupKind{
	quarantine.KindService, quarantine.KindReplicaSet, quarantine.KindStatefulSet, quarantine.KindDaemonSet,
	quarantine.KindJob, quarantine.KindReplicationController, quarantine.KindPodDisruptionBudget,
}

var errOdd = errors.New("no such operator")

func selector(kind schema.GroupKind, name string, requirements ...labels.Requirement) *quarantine.SelectingObject {
	return &quarantine.SelectingObject{Kind: kind, Name: name, Requirements: requirements}
}

func requirement(t testing.TB, key string, operator selection.Operator, values ...string) labels.Requirement {
	t.Helper()
	r, err := labels.NewRequirement(key, operator, values)
	require.NoError(t, err)
	return *r
}

func service(t testing.TB, name, key, value string) *quarantine.SelectingObject {
	t.Helper()
	return selector(quarantine.KindService, name, requirement(t, key, selection.Equals, value))
}

func matching(t testing.TB, ix *Index, namespace string, podLabels map[string]string) []*quarantine.SelectingObject {
	t.Helper()
	view, err := ix.Namespace(namespace)
	require.NoError(t, err)
	return view.Matching(podLabels)
}

func lookup(t testing.TB, ix *Index, namespace string, kind schema.GroupKind, name string) *quarantine.SelectingObject {
	t.Helper()
	view, err := ix.Namespace(namespace)
	require.NoError(t, err)
	return view.Lookup(kind, name)
}

func TestAnObjectIsFoundAsItWasLastSet(t *testing.T) {
	blue, green := map[string]string{"app": "blue"}, map[string]string{"app": "green"}
	ix := NewIndex()
	first, second := service(t, "web", "app", "blue"), service(t, "web", "app", "green")

	ix.Set("ns", first)
	require.Equal(t, []*quarantine.SelectingObject{first}, matching(t, ix, "ns", blue))
	require.Same(t, first, lookup(t, ix, "ns", quarantine.KindService, "web"))

	ix.Set("ns", second)
	require.Empty(t, matching(t, ix, "ns", blue))
	require.Equal(t, []*quarantine.SelectingObject{second}, matching(t, ix, "ns", green))
	require.Same(t, second, lookup(t, ix, "ns", quarantine.KindService, "web"))

	everything := selector(quarantine.KindService, "web")
	ix.Set("ns", everything)
	require.Equal(t, []*quarantine.SelectingObject{everything}, matching(t, ix, "ns", green))
	require.Equal(t, []*quarantine.SelectingObject{everything}, matching(t, ix, "ns", nil))

	ix.Delete("ns", quarantine.KindService, "web")
	require.Empty(t, matching(t, ix, "ns", green))
	require.Nil(t, lookup(t, ix, "ns", quarantine.KindService, "web"))
}

func TestDeletingAnAbsentObjectDoesNothing(t *testing.T) {
	ix := NewIndex()
	ix.Delete("ns", quarantine.KindService, "web")
	ix.Set("ns", service(t, "web", "app", "web"))
	ix.Delete("ns", quarantine.KindService, "api")
	ix.Delete("other", quarantine.KindService, "web")
	require.Len(t, matching(t, ix, "ns", web), 1)
}

func TestObjectsOfDifferentKindsMayHaveTheSameName(t *testing.T) {
	ix := NewIndex()
	foreign := schema.GroupKind{Group: "apps.kruise.io", Kind: "StatefulSet"}
	for _, kind := range kinds {
		ix.Set("ns", selector(kind, "web", requirement(t, "app", selection.Equals, "web")))
	}
	require.Len(t, matching(t, ix, "ns", web), len(kinds))
	require.Nil(t, lookup(t, ix, "ns", foreign, "web"))
	ix.Delete("ns", foreign, "web")
	for left, kind := range slices.Backward(kinds) {
		require.Equal(t, kind, lookup(t, ix, "ns", kind, "web").Kind)
		ix.Delete("ns", kind, "web")
		require.Len(t, matching(t, ix, "ns", web), left)
	}
}

func TestNamespacesAreSeparate(t *testing.T) {
	ix := NewIndex()
	one, two := service(t, "web", "app", "web"), service(t, "web", "app", "web")
	ix.Set("one", one)
	ix.Set("two", two)
	ix.Set("two", selector(quarantine.KindPodDisruptionBudget, "all"))
	require.Equal(t, []*quarantine.SelectingObject{one}, matching(t, ix, "one", web))
	require.Same(t, two, lookup(t, ix, "two", quarantine.KindService, "web"))
	require.Empty(t, matching(t, ix, "three", web))
	require.Nil(t, lookup(t, ix, "three", quarantine.KindService, "web"))

	ix.Delete("one", quarantine.KindService, "web")
	require.Empty(t, matching(t, ix, "one", web))
	require.Len(t, matching(t, ix, "two", web), 2)
}

func TestAViewOfANamespaceFollowsChanges(t *testing.T) {
	ix := NewIndex()
	view, err := ix.Namespace("ns")
	require.NoError(t, err)
	require.Empty(t, view.Matching(web))
	ix.Set("ns", service(t, "web", "app", "web"))
	require.Len(t, view.Matching(web), 1)
}

func TestNetworkPoliciesAreSeparate(t *testing.T) {
	ix := NewIndex()
	ix.Set("ns", selector(quarantine.KindNetworkPolicy, "all"))
	ix.Set("ns", selector(quarantine.KindNetworkPolicy, "web", requirement(t, "app", selection.Equals, "web")))
	view, err := ix.Namespace("ns")
	require.NoError(t, err)
	require.Empty(t, view.Matching(web))
	require.Len(t, view.NetworkPolicies(web), 2)
	require.Len(t, view.NetworkPolicies(nil), 1)
	ix.Delete("ns", quarantine.KindNetworkPolicy, "all")
	ix.Delete("ns", quarantine.KindNetworkPolicy, "web")
	require.Empty(t, view.NetworkPolicies(web))
	require.Empty(t, ix.namespaces)
}

func TestMatchingIsOrderedByKindAndName(t *testing.T) {
	ix := NewIndex()
	for _, kind := range slices.Backward(kinds) {
		ix.Set("ns", selector(kind, "b", requirement(t, "app", selection.Equals, "web")))
		ix.Set("ns", selector(kind, "a"))
	}
	var names []string
	for _, s := range matching(t, ix, "ns", web) {
		names = append(names, s.String())
	}
	require.Equal(t, []string{
		"Service/a", "Service/b", "ReplicaSet/a", "ReplicaSet/b", "StatefulSet/a", "StatefulSet/b", "DaemonSet/a", "DaemonSet/b",
		"Job/a", "Job/b", "ReplicationController/a", "ReplicationController/b", "PodDisruptionBudget/a", "PodDisruptionBudget/b",
	}, names)
}

func TestAnUnreadableSelectorIsAnErrorInItsNamespaceOnly(t *testing.T) {
	ix := NewIndex()
	ix.Set("ns", selector(quarantine.KindJob, "odd"))
	ix.SetUnreadable("ns", quarantine.KindJob, "odd", errOdd)
	_, err := ix.Namespace("ns")
	require.EqualError(t, err, "reading the selector of Job ns/odd: no such operator")
	require.ErrorIs(t, err, errOdd)
	require.Empty(t, matching(t, ix, "other", nil))
}

func TestTheErrorLastsUntilTheUnreadableObjectIsChangedOrDeleted(t *testing.T) {
	for name, mend := range map[string]func(*Index){
		"changed":      func(ix *Index) { ix.Set("ns", selector(quarantine.KindJob, "odd")) },
		"deleted":      func(ix *Index) { ix.Delete("ns", quarantine.KindJob, "odd") },
		"not retained": func(ix *Index) { ix.retain(quarantine.KindJob, func(string, string) bool { return false }) },
	} {
		t.Run(name, func(t *testing.T) {
			ix := NewIndex()
			ix.SetUnreadable("ns", quarantine.KindJob, "odd", errOdd)
			ix.Set("ns", selector(quarantine.KindService, "odd"))
			ix.Delete("ns", quarantine.KindService, "odd")
			ix.Delete("other", quarantine.KindJob, "odd")
			ix.retain(quarantine.KindService, func(string, string) bool { return false })
			ix.retain(quarantine.KindJob, func(string, string) bool { return true })
			_, err := ix.Namespace("ns")
			require.ErrorIs(t, err, errOdd)
			mend(ix)
			_, err = ix.Namespace("ns")
			require.NoError(t, err)
		})
	}
}

func TestRetainRemovesAllOtherObjects(t *testing.T) {
	ix := NewIndex()
	for _, namespace := range []string{"one", "two"} {
		ix.Set(namespace, selector(quarantine.KindJob, "kept"))
		ix.Set(namespace, selector(quarantine.KindJob, "gone"))
		ix.Set(namespace, service(t, "gone", "app", "web"))
	}
	ix.retain(quarantine.KindJob, func(namespace, name string) bool { return namespace == "one" && name == "kept" })
	require.Len(t, matching(t, ix, "one", web), 2)
	require.NotNil(t, lookup(t, ix, "one", quarantine.KindJob, "kept"))
	require.Len(t, matching(t, ix, "two", web), 1)
	require.NotNil(t, lookup(t, ix, "two", quarantine.KindService, "gone"))
}

func TestDeletedObjectsLeaveNothingInMemory(t *testing.T) {
	ix := NewIndex()
	for i := range 100 {
		s := service(t, strconv.Itoa(i), "a", strconv.Itoa(i%7))
		ix.Set("ns", s)
		ix.Set("ns", s)
		ix.Set("ns", selector(quarantine.KindJob, strconv.Itoa(i)))
	}
	ix.SetUnreadable("ns", quarantine.KindService, "odd", errOdd)
	require.Len(t, ix.namespaces["ns"].selecting.byPair, 7)
	for i := range 100 {
		ix.Delete("ns", quarantine.KindService, strconv.Itoa(i))
	}
	require.Empty(t, ix.namespaces["ns"].selecting.byPair)
	ix.Delete("ns", quarantine.KindService, "odd")
	ix.retain(quarantine.KindJob, func(string, string) bool { return false })
	require.Empty(t, ix.namespaces)
}

// A label that all selectors of a namespace require, component=api, must not put them all
// into one list: a decision would cost more with each object of the namespace.
func TestASelectorIsStoredUnderItsRarestLabel(t *testing.T) {
	ix := NewIndex()
	for i := range 1000 {
		ix.Set("ns", selector(quarantine.KindService, strconv.Itoa(i),
			requirement(t, "component", selection.Equals, "api"),
			requirement(t, "release", selection.In, "release-"+strconv.Itoa(i)),
			requirement(t, "track", selection.Exists)))
	}
	ns := ix.namespaces["ns"]
	require.Empty(t, ns.selecting.unindexed)
	for pair, filed := range ns.selecting.byPair {
		require.Len(t, filed, 1, "%v", pair)
	}
}
