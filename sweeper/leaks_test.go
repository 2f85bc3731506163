package sweeper

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// released is a cluster whose pod turns out to have been released when it is written.
type released struct{ *onePod }

func (released) Patch(_ context.Context, into client.Object, _ client.Patch, _ ...client.PatchOption) error {
	quarantined(free, func(pod *metav1.PartialObjectMetadata) { pod.Labels = map[string]string{"app": "web"} }).
		DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

// What selects a pod that was released is no leak.
func TestAPodThatIsReleasedWhileItIsTakenOut(t *testing.T) {
	index := selectors.NewIndex()
	byApp, _ := labels.SelectorFromSet(labels.Set{"app": "web"}).Requirements()
	index.Set("ah", &quarantine.SelectingObject{Kind: quarantine.KindService, Name: "web", Requirements: byApp})
	w, cluster := newWorld(), &onePod{pod: quarantined(func(pod *metav1.PartialObjectMetadata) { pod.Labels["app"] = "web" })}
	metrics, err := newLeakMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	l := &leaks{reader: cluster, writer: released{cluster}, selectors: index, clock: w.local,
		events: newTestPublisher(w.local, cluster), metrics: metrics}
	result, err := l.Reconcile(t.Context(), webPod)
	require.NoError(t, err)
	require.Equal(t, reconcile.Result{}, result)
	require.Zero(t, testutil.ToFloat64(metrics.now))
	require.Empty(t, published(l.events))
}
