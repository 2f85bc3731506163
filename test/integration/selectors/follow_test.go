package selectors

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestEveryKindIsFollowed(t *testing.T) {
	watcher := start(t, config)
	waitReady(t, watcher)
	for _, example := range examples {
		t.Run(example.kind.Kind, func(t *testing.T) {
			namespace, elsewhere := newNamespace(t), newNamespace(t)
			meta := metav1.ObjectMeta{Namespace: namespace, Name: "web"}
			known := func(object client.Object) match {
				return match{object: example.kind.Kind + "/web", uid: object.GetUID(), desired: example.desired}
			}

			first := example.object(meta, blue)
			create(t, first)
			waitMatching(t, watcher, namespace, blue, known(first))
			waitMatching(t, watcher, namespace, green)
			waitMatching(t, watcher, elsewhere, blue)

			if example.scale != nil {
				scaled := known(first)
				scaled.desired, scaled.available = 3, 2
				example.scale(first)
				require.NoError(t, admin.Update(t.Context(), first))
				example.scale(first) // The response to the create has no status.
				require.NoError(t, admin.Status().Update(t.Context(), first))
				waitMatching(t, watcher, namespace, blue, scaled)
			}
			if example.selectOther != nil {
				changed := known(first)
				if example.scale != nil {
					changed.desired, changed.available = 3, 2
				}
				example.selectOther(first, green)
				require.NoError(t, admin.Update(t.Context(), first))
				waitMatching(t, watcher, namespace, green, changed)
				waitMatching(t, watcher, namespace, blue)
			}

			remove(t, first)
			second := example.object(meta, green)
			create(t, second)
			waitMatching(t, watcher, namespace, green, known(second))
			waitMatching(t, watcher, namespace, blue)

			remove(t, second)
			waitMatching(t, watcher, namespace, green)
		})
	}
}

func TestExistingObjectsAreKnownOnceReady(t *testing.T) {
	namespace := newNamespace(t)
	_, want := createEach(t, namespace, "web")
	watcher := newWatcher(t, config)
	require.EqualError(t, watcher.Ready(nil), "reading services: not read yet")
	_, err := watcher.Namespace(namespace)
	require.EqualError(t, err, "reading services: not read yet")

	watcher = start(t, config)
	eventually(t, "the watcher answers", func() error {
		found, err := matching(watcher, namespace, blue)
		if err == nil {
			require.Equal(t, want, found)
		}
		return err
	})
}

// The object may exist before the watch or arrive through it: the code paths differ.
func TestControllersAreKnown(t *testing.T) {
	namespace := newNamespace(t)
	watcher := start(t, config)
	waitReady(t, watcher)
	_, want := createEach(t, namespace, "web",
		metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Application", Name: "shop", UID: "1"},
		metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "2", Controller: new(true)})
	for i := range want {
		want[i].controller = "Deployment.apps/web"
	}
	waitMatching(t, watcher, namespace, blue, want...)
	waitMatching(t, start(t, config), namespace, blue, want...)
}

func TestEmptyAndMissingBudgetSelectors(t *testing.T) {
	namespace := newNamespace(t)
	watcher := start(t, config)
	waitReady(t, watcher)
	budget := func(name string, selector *metav1.LabelSelector) match {
		object := &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: selector},
		}
		create(t, object)
		return match{object: "PodDisruptionBudget/" + name, uid: object.UID}
	}
	budget("none", nil)
	all := budget("all", &metav1.LabelSelector{})
	unlabeled := budget("unlabeled", &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "app", Operator: metav1.LabelSelectorOpDoesNotExist},
	}})
	waitMatching(t, watcher, namespace, nil, all, unlabeled)
	waitMatching(t, watcher, namespace, blue, all)
}

func TestNetworkPoliciesAreFollowedSeparately(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	watcher := start(t, config)
	waitReady(t, watcher)
	selected := func() (names []string) {
		known, err := watcher.Namespace(namespace)
		require.NoError(t, err)
		require.Empty(t, known.Matching(blue))
		for _, policy := range known.NetworkPolicies(blue) {
			names = append(names, policy.String())
		}
		return names
	}
	becomes := func(want ...string) {
		t.Helper()
		eventually(t, "the index has the policies", func() error {
			if got := selected(); !slices.Equal(want, got) {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	all := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "all"}}
	some := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "some"},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: *selecting(blue)},
	}
	create(t, all)
	create(t, some)
	becomes("NetworkPolicy/all", "NetworkPolicy/some")
	some.Spec.PodSelector = *selecting(green)
	require.NoError(t, admin.Update(t.Context(), some))
	becomes("NetworkPolicy/all")
	remove(t, all)
	becomes()
}

// Kubernetes fills the EndpointSlices of Services with a selector, which is known by it.
func TestEndpointSlicesThatNoSelectorFillsAreFollowed(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	watcher := start(t, config)
	waitReady(t, watcher)
	becomes := func(want ...string) {
		t.Helper()
		eventually(t, "the index has the EndpointSlices", func() error {
			known, err := watcher.Namespace(namespace)
			if err != nil {
				return err
			}
			var got []string
			for _, s := range known.EndpointSlices("db-0", "1") {
				got = append(got, s.String()+" "+s.ManagedBy)
			}
			if !slices.Equal(want, got) {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	slice := func(name, manager string) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels{
				discoveryv1.LabelServiceName: "leader", discoveryv1.LabelManagedBy: manager,
			}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{
				Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: "db-0", UID: "1"},
			}},
		}
	}
	create(t, slice("by-selector", "endpointslice-controller.k8s.io"))
	unlabeled := slice("by-hand", "")
	unlabeled.Labels = nil
	create(t, unlabeled)
	leader := slice("leader", "failover.example.com")
	create(t, leader)
	create(t, slice("mirrored", "endpointslicemirroring-controller.k8s.io"))
	becomes("EndpointSlice/by-hand ", "EndpointSlice/leader of Service/leader failover.example.com",
		"EndpointSlice/mirrored of Service/leader endpointslicemirroring-controller.k8s.io")
	leader.Endpoints = nil
	require.NoError(t, admin.Update(t.Context(), leader))
	remove(t, unlabeled)
	becomes("EndpointSlice/mirrored of Service/leader endpointslicemirroring-controller.k8s.io")
}
