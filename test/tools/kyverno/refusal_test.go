package kyverno

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/shop"
	"isolate.example.io/test/gen"
)

// Kyverno keeps isolate's message in the UpdateRequest, which it tries a few times and then
// deletes.
func TestRefusalIsInTheUpdateRequest(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 2, gen.Annotation(quarantine.ControllerBudgetKey, "1"))
	pods := s.Serving()
	label(t, s, pods[0], compromised)
	s.UntilOut(pods[0])

	attempts, messages := 0, map[string]bool{}
	began := time.Now()
	observe(t, "Kyverno gives up", func() { label(t, s, pods[1], compromised) }, func(event watch.EventType, _ string, request updateRequest) bool {
		if request.namespace != s.Namespace || request.pod != pods[1] {
			return false
		}
		if request.message != "" {
			messages[request.message] = true
		}
		if request.state == "Failed" {
			attempts++
		}
		return event == watch.Deleted
	})
	require.Equal(t, []string{pods[0]}, s.Quarantined())
	require.NotEmpty(t, messages)
	for message := range messages {
		require.Contains(t, message, "1 of at most 1 pods of Deployment/web are already quarantined")
	}
	t.Logf("Kyverno tried %d times in %s", attempts, time.Since(began))
	events, err := admin.EventsV1().Events("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, event := range events.Items {
		require.NotContains(t, event.Note, "already quarantined", "Kyverno publishes no event")
	}
}

// Without one of the verbs, Kyverno can't quarantine a pod. Not parallel: it changes the role.
func TestRoleGrantsOnlyWhatIsUsed(t *testing.T) {
	roles := admin.RbacV1().ClusterRoles()
	shipped, err := roles.Get(t.Context(), "kyverno-isolate", metav1.GetOptions{})
	require.NoError(t, err)
	verbs := shipped.Rules[0].Verbs
	for _, without := range verbs {
		setVerbs(t, slices.DeleteFunc(slices.Clone(verbs), func(verb string) bool { return verb == without }), without, false)
		s := shop.Open(t, admin, 1)
		pod := s.Serving()[0]
		message := ""
		observe(t, "Kyverno gives up", func() { label(t, s, pod, compromised) }, func(event watch.EventType, _ string, request updateRequest) bool {
			if request.namespace == s.Namespace && request.message != "" {
				message = request.message
			}
			return request.namespace == s.Namespace && event == watch.Deleted
		})
		require.Contains(t, message, "forbidden")
		require.Empty(t, s.Quarantined())
		t.Logf("without %s: %s", without, message)
		setVerbs(t, verbs, without, true)
	}
}

// setVerbs changes the example's role and waits until it counts for one of the verbs.
func setVerbs(t *testing.T, verbs []string, verb string, allowed bool) {
	t.Helper()
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/rules/0/verbs", "value": verbs}})
	require.NoError(t, err)
	_, err = admin.RbacV1().ClusterRoles().Patch(t.Context(), "kyverno-isolate", types.JSONPatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
	until(t, func() bool {
		review, err := admin.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:kyverno:kyverno-background-controller",
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Namespace: metav1.NamespaceDefault},
			},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		return review.Status.Allowed == allowed
	}, "Kyverno may %s pods: %t", verb, allowed)
}
