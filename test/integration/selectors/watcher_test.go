package selectors

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/selectors"
	"isolate.example.io/test/framework/waiting"
)

// labels are the labels of a pod or of a selector.
type labels = map[string]string

var blue, green = labels{"app": "blue"}, labels{"app": "green"}

// match is an object that selects a pod, as the watcher sees it.
type match struct {
	object             string
	uid                types.UID
	desired, available int32
	controller         string
}

func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "selectors-"}}
	require.NoError(t, admin.Create(t.Context(), namespace))
	return namespace.Name
}

func newWatcher(t *testing.T, config *rest.Config) *selectors.Watcher {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	watcher, err := selectors.NewWatcher(config, client)
	require.NoError(t, err)
	return watcher.WithNetworkPolicies().WithEndpointSlices()
}

// start has a new watcher watch until the test ends.
func start(t *testing.T, config *rest.Config) *selectors.Watcher {
	t.Helper()
	return watch(t, newWatcher(t, config))
}

// watch runs the watcher until the test ends.
func watch(t *testing.T, watcher *selectors.Watcher) *selectors.Watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return watcher
}

func waitReady(t *testing.T, watcher *selectors.Watcher) {
	t.Helper()
	eventually(t, "all kinds are read", func() error { return watcher.Ready(nil) })
}

// waitFailing waits until the watcher is not ready for this reason and returns the
// same error for a namespace.
func waitFailing(t *testing.T, watcher *selectors.Watcher, because func(error) bool) {
	t.Helper()
	for what, answer := range map[string]func() error{
		"the watcher is not ready": func() error { return watcher.Ready(nil) },
		"a namespace is an error": func() error {
			_, err := watcher.Namespace("default")
			return err
		},
	} {
		eventually(t, what, func() error {
			if err := answer(); err == nil || !because(err) {
				return fmt.Errorf("it answers: %w", err)
			}
			return nil
		})
	}
}

// waitMatching waits until exactly these objects select such a pod.
func waitMatching(t *testing.T, watcher *selectors.Watcher, namespace string, pod labels, want ...match) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v select %v", want, pod), func() error {
		found, err := matching(watcher, namespace, pod)
		if err == nil && !slices.Equal(want, found) {
			err = fmt.Errorf("%v select it", found)
		}
		return err
	})
}

func matching(watcher *selectors.Watcher, namespace string, pod labels) ([]match, error) {
	known, err := watcher.Namespace(namespace)
	if err != nil {
		return nil, err
	}
	var found []match
	for _, s := range known.Matching(pod) {
		m := match{object: s.String(), uid: s.UID, desired: s.Desired, available: s.Available}
		if s.Controller != nil {
			m.controller = s.Controller.Kind.String() + "/" + s.Controller.Name
		}
		found = append(found, m)
	}
	return found, nil
}

// eventually waits until the condition returns nil.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	waiting.NoError(t, condition, "%s", what)
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	require.NoError(t, admin.Create(t.Context(), object))
}

func remove(t *testing.T, object client.Object) {
	t.Helper()
	// With foreground propagation some kinds wait for the garbage collector, which doesn't run.
	require.NoError(t, admin.Delete(t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}
