package webhook

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "webhook-"}}
	require.NoError(t, admin.Create(t.Context(), namespace))
	return namespace.Name
}

func create(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	pod := gen.Pod(name, gen.Namespace(namespace))
	require.NoError(t, admin.Create(t.Context(), pod))
	return pod
}

// annotate sets annotations of a pod, and reads the result into the pod.
func annotate(ctx context.Context, pod *corev1.Pod, annotations map[string]string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	return admin.Patch(ctx, pod, client.RawPatch("application/merge-patch+json", patch), client.FieldOwner("kubectl-annotate"))
}

// quarantineFor quarantines a pod.
func quarantineFor(t *testing.T, pod *corev1.Pod, ttl string) {
	t.Helper()
	require.NoError(t, annotate(t.Context(), pod, map[string]string{quarantine.TriggerKey: quarantine.True, quarantine.TTLKey: ttl}))
	require.Equal(t, quarantine.QuarantinedValue, pod.Labels[quarantine.QuarantinedLabel])
}

// stampOf returns the time in an annotation of a pod.
func stampOf(t *testing.T, pod *corev1.Pod, key string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, pod.Annotations[key])
	require.NoError(t, err)
	return at
}

func waitGone(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	waiting.Poll(t, func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}, "pod %s is deleted", pod.Name)
}
