package sweeper

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

var (
	held          = gen.Held()
	withFinalizer = gen.Finalizer("test.isolate.example.io/keep")
)

// long is longer than any test takes. It is also the clock skew in these tests.
const long = 24 * time.Hour

func newNamespace(t testing.TB) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "expiry-"}}
	require.NoError(t, admin.Create(t.Context(), namespace))
	return namespace.Name
}

// newPod returns a quarantined pod. Unless an option says otherwise, it has expired by
// every clock in these tests.
func newPod(namespace, name string, options ...gen.Option) *corev1.Pod {
	quarantined := gen.Quarantined(time.Now().Add(-3*long), time.Now().Add(-2*long))
	return gen.Pod(name, append([]gen.Option{gen.Namespace(namespace), quarantined}, options...)...)
}

func create(t *testing.T, namespace, name string, changes ...gen.Option) *corev1.Pod {
	t.Helper()
	pod := newPod(namespace, name, changes...)
	require.NoError(t, admin.Create(t.Context(), pod))
	return pod
}

// createMany creates identical pods with numbered names.
func createMany(t testing.TB, namespace, prefix string, n int, changes ...gen.Option) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error { return admin.Create(ctx, newPod(namespace, prefix+strconv.Itoa(i), changes...)) })
	}
	require.NoError(t, group.Wait())
}

// createEach creates pods, each with its own expiry.
func createEach(t *testing.T, namespace string, due map[string]time.Time) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for name, at := range due {
		group.Go(func() error { return admin.Create(ctx, newPod(namespace, name, gen.Expires(at))) })
	}
	require.NoError(t, group.Wait())
}

// patch changes a stored pod. It returns the error instead of failing the test, because it
// is also called on goroutines of the sweeper.
func patch(ctx context.Context, pod *corev1.Pod, changes ...gen.Option) error {
	changed := pod.DeepCopy()
	for _, change := range changes {
		change(changed)
	}
	return admin.Patch(ctx, changed, client.MergeFrom(pod))
}

// seconds returns the first whole second at least n seconds from now. Stamps have no
// fractions of a second.
func seconds(n int) time.Time {
	return time.Now().Add(time.Duration(n+1) * time.Second).Truncate(time.Second)
}

func exists(ctx context.Context, pod *corev1.Pod) (bool, error) {
	stored := &corev1.Pod{}
	err := admin.Get(ctx, client.ObjectKeyFromObject(pod), stored)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return stored.UID == pod.UID, err
}

func requireAlive(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	alive, err := exists(t.Context(), pod)
	require.NoError(t, err)
	require.True(t, alive, "pod %s is gone", pod.Name)
}

func waitGone(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	eventually(t, "pod "+pod.Name+" is deleted", func(ctx context.Context) (bool, error) {
		alive, err := exists(ctx, pod)
		return !alive, err
	})
}

// names returns the names of a namespace's pods.
func names(ctx context.Context, namespace string) ([]string, error) {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	if err := admin.List(ctx, pods, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var found []string
	for i := range pods.Items {
		found = append(found, pods.Items[i].Name)
	}
	return found, nil
}

func waitCount(t *testing.T, namespace string, n int) {
	t.Helper()
	eventually(t, "at most "+strconv.Itoa(n)+" pods are left", func(ctx context.Context) (bool, error) {
		found, err := names(ctx, namespace)
		return len(found) <= n, err
	})
}

// eventually waits until what holds, as the condition reports. An error ends the wait.
func eventually(t testing.TB, what string, condition wait.ConditionWithContextFunc) {
	t.Helper()
	waiting.Poll(t, condition, "%s", what)
}
