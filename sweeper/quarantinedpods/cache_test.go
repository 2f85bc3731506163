package quarantinedpods_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/sweeper/internal/gen"
	"isolate.example.io/sweeper/quarantinedpods"
)

func TestTheCacheKeepsOnlyIsolatesAnnotations(t *testing.T) {
	pod := gen.Pod(gen.Annotation("kubectl.kubernetes.io/last-applied-configuration", "{}"))
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	for _, byObject := range quarantinedpods.CacheOptions().ByObject {
		trimmed, err := byObject.Transform(pod)
		require.NoError(t, err)
		require.Equal(t, gen.Pod(), trimmed)
	}
}
