package sweeper

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/test/gen"
)

// release removes everything that a quarantine added to a pod, as the webhook does.
func release(ctx context.Context, namespace, name string) error {
	const patch = `[{"op":"remove","path":"/metadata/labels"},{"op":"remove","path":"/metadata/annotations"}]`
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = namespace, name
	return admin.Patch(ctx, pod, client.RawPatch("application/json-patch+json", []byte(patch)))
}

// A release and an event cost a request each. Even if these never get a response, the only
// worker must delete every pod.
func TestDeletionsDoNotWaitForRequestsThatInformPeople(t *testing.T) {
	const released, expired = 30, 20
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	createMany(t, namespace, "released-", released, gen.Expires(time.Now().Add(long)))
	waitReconciled(t, namespace)
	resume := sweeper.network.holdInforming()
	defer resume()
	for i := range released {
		require.NoError(t, release(t.Context(), namespace, fmt.Sprint("released-", i)))
	}
	createMany(t, namespace, "web-", expired)
	waitCount(t, namespace, released)
	eachOnce(t, "web-", expired, sweeper.network)

	resume()
	eventually(t, "the releases are published", func(ctx context.Context) (bool, error) {
		count, err := countEvents(ctx, namespace, "Released")
		return count == released, err
	})
}
