package kyverno

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"isolate.example.io/test/framework/waiting"
)

var (
	updateRequests   = schema.GroupVersionResource{Group: "kyverno.io", Version: "v2", Resource: "updaterequests"}
	mutatingPolicies = schema.GroupVersionResource{Group: "policies.kyverno.io", Version: "v1", Resource: "mutatingpolicies"}
)

// updateRequest is what the tests read of an UpdateRequest, Kyverno's order to change an
// object in the background.
type updateRequest struct {
	policy, namespace, pod string

	// user is who wrote the object, or empty if a change of the policy led to the request.
	user string

	state, message string
}

func read(object *unstructured.Unstructured) updateRequest {
	text := func(fields ...string) string {
		value, _, _ := unstructured.NestedString(object.Object, fields...)
		return value
	}
	return updateRequest{
		policy:    text("spec", "policy"),
		namespace: text("spec", "context", "admissionRequestInfo", "admissionRequest", "namespace"),
		pod:       text("spec", "context", "admissionRequestInfo", "admissionRequest", "name"),
		user:      text("spec", "context", "admissionRequestInfo", "admissionRequest", "userInfo", "username"),
		state:     text("status", "state"),
		message:   text("status", "message"),
	}
}

// changes counts the changes of policies.
var changes atomic.Int32

// change changes a policy, but not what it does.
func change(t *testing.T, policy string) {
	t.Helper()
	_, err := objects.Resource(mutatingPolicies).Patch(t.Context(), policy, types.MergePatchType,
		fmt.Appendf(nil, `{"spec": {"variables": [{"name": "change", "expression": "%d"}]}}`, changes.Add(1)), metav1.PatchOptions{})
	require.NoError(t, err)
}

// evaluateAll changes the shipped policy, so that Kyverno evaluates it for every pod with the
// label, and waits until it has done so for this pod. Kyverno deletes an UpdateRequest that
// is completed.
func evaluateAll(t *testing.T, namespace, pod string) {
	t.Helper()
	policy := shippedPolicy(t).GetName()
	begun := map[string]bool{}
	observe(t, "Kyverno evaluates the policy for pod "+pod, func() { change(t, policy) }, func(event watch.EventType, name string, request updateRequest) bool {
		if request.policy != policy || request.namespace != namespace || request.pod != pod || request.user != "" {
			return false
		}
		begun[name] = begun[name] || event == watch.Added
		return event == watch.Deleted && begun[name]
	})
}

// observe watches the UpdateRequests that an action leads to, until the function returns true.
func observe(t *testing.T, what string, action func(), done func(event watch.EventType, name string, request updateRequest) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waiting.Patience)
	defer cancel()
	client := objects.Resource(updateRequests).Namespace(kyvernoNamespace)
	list, err := client.List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	watcher, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	require.NoError(t, err)
	defer watcher.Stop()
	action()
	for event := range watcher.ResultChan() {
		object, ok := event.Object.(*unstructured.Unstructured)
		require.True(t, ok, "%v", event.Object)
		if done(event.Type, object.GetName(), read(object)) {
			return
		}
	}
	t.Fatalf("waiting until %s: the watch ended", what)
}

// apply creates a policy and waits until Kyverno reports it ready.
func apply(t *testing.T, policy *unstructured.Unstructured) {
	t.Helper()
	client := objects.Resource(mutatingPolicies)
	_, err := client.Create(t.Context(), policy, metav1.CreateOptions{})
	require.NoError(t, err)
	until(t, func() bool {
		stored, err := client.Get(t.Context(), policy.GetName(), metav1.GetOptions{})
		require.NoError(t, err)
		ready, _, _ := unstructured.NestedBool(stored.Object, "status", "conditionStatus", "ready")
		return ready
	}, "policy %s is ready", policy.GetName())
}

func until(t *testing.T, condition func() bool, what string, args ...any) {
	t.Helper()
	waiting.Until(t, condition, what, args...)
}

// poll calls the function until it returns nil, and else returns its last error.
func poll(ctx context.Context, condition func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, time.Second, waiting.Patience, true, func(context.Context) (bool, error) {
		last = condition()
		return last == nil, nil
	})
	if err != nil {
		return last
	}
	return nil
}
