package sweeper

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/gen"
)

// This API server has no webhook, as when somebody has deleted its configuration: the recheck
// stays on the pod, and is itself a change of the pod.
func TestALeakThatNoWebhookEndsIsReportedAndCostsFewRequests(t *testing.T) {
	selector, err := labels.ParseToRequirements("app=web")
	require.NoError(t, err)
	namespace := newNamespace(t)
	sweeper := start(t, namespace)
	sweeper.selectors.Set(namespace, &quarantine.SelectingObject{Kind: quarantine.KindService, Name: "web", Requirements: selector})
	pod := create(t, namespace, "web", gen.Label("app", "web"), gen.Expires(time.Now().Add(long)))
	eventually(t, "the leak is reported", func(ctx context.Context) (bool, error) {
		reasons, err := eventReasons(ctx, pod)
		return slices.Contains(reasons, "Leaked"), err
	})
	require.LessOrEqual(t, sweeper.network.asked(http.MethodPatch, "/pods/web"), 3)
}
