package webhook

import (
	"bytes"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/test/gen/workload"
)

// BenchmarkQuarantine answers a review of 15 KB that quarantines a pod, over HTTP
// but without a network.
func BenchmarkQuarantine(b *testing.B) {
	app := workload.App{Namespace: "shop", Number: 1}
	index := selectors.NewIndex()
	replicaSet := app.ReplicaSet(1)
	owner := app.Pod("payments").OwnerReferences[0]
	byService, _ := labels.SelectorFromSet(app.Service().Spec.Selector).Requirements()
	byReplicaSet, _ := labels.SelectorFromSet(replicaSet.Spec.Selector.MatchLabels).Requirements()
	index.Set("shop", &quarantine.SelectingObject{Kind: quarantine.KindService, Name: app.Name(), Requirements: byService})
	index.Set("shop", &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: owner.Name, UID: owner.UID, Requirements: byReplicaSet, Desired: 5})
	config, metrics := quarantine.DefaultConfig(), newMetrics(b)
	handler := NewHandler(Handler{
		Config:           config,
		Selectors:        ready{index},
		Budgets:          unlimited{},
		NamespaceConfigs: readNamespaces(b, config, metrics, logr.Discard()),
		Time:             fixed(start),
		Clock:            clock.RealClock{},
		Metrics:          metrics,
	})
	review, err := app.Review(map[string]string{quarantine.TriggerKey: quarantine.True, quarantine.TTLKey: "36h", quarantine.ReasonKey: "logins hang"})
	require.NoError(b, err)
	b.Logf("a review of %d bytes", len(review))
	b.SetBytes(int64(len(review)))
	b.ReportAllocs()
	for b.Loop() {
		answer := post(b.Context(), handler, review)
		if !bytes.Contains(answer.Body.Bytes(), []byte(`"allowed":true`)) {
			b.Fatal(answer.Body)
		}
	}
}
