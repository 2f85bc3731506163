package webhook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/test/gen/workload"
)

// typicalQuarantine returns a handler and a review of 13 KB that quarantines a pod.
func typicalQuarantine(tb testing.TB) (*Handler, []byte) {
	tb.Helper()
	app := workload.App{Namespace: "shop", Number: 1}
	index := selectors.NewIndex()
	replicaSet := app.ReplicaSet(1)
	owner := app.Pod("payments").OwnerReferences[0]
	byService, _ := labels.SelectorFromSet(app.Service().Spec.Selector).Requirements()
	byReplicaSet, _ := labels.SelectorFromSet(replicaSet.Spec.Selector.MatchLabels).Requirements()
	index.Set("shop", &quarantine.SelectingObject{Kind: quarantine.KindService, Name: app.Name(), Requirements: byService})
	index.Set("shop", &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: owner.Name, UID: owner.UID, Requirements: byReplicaSet, Desired: 5})
	config, metrics := quarantine.DefaultConfig(), newMetrics(tb)
	handler := NewHandler(Handler{
		Config:           config,
		Selectors:        ready{index},
		Budgets:          unlimited{},
		NamespaceConfigs: readNamespaces(tb, config, metrics, logr.Discard()),
		Time:             fixed(start),
		Clock:            clock.RealClock{},
		Metrics:          metrics,
	})
	review, err := app.Review(map[string]string{quarantine.TriggerKey: quarantine.True, quarantine.TTLKey: "36h", quarantine.ReasonKey: "logins hang"})
	require.NoError(tb, err)
	return handler, review
}

// BenchmarkQuarantine answers reviews over HTTP, but without a network.
func BenchmarkQuarantine(b *testing.B) {
	handler, review := typicalQuarantine(b)
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

// maxAllocations is how many allocations the answer to a review may take. There are 206;
// docs/performance.md says where.
const maxAllocations = 215

// The benchmark's figures depend on the machine. The number of allocations does not, and
// it grows first if an admission becomes slower.
func TestAQuarantineTakesFewAllocations(t *testing.T) {
	handler, review := typicalQuarantine(t)
	body := bytes.NewReader(review)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, body)
	answer := &discarded{header: http.Header{}}
	allocations := testing.AllocsPerRun(100, func() {
		body.Reset(review)
		handler.ServeHTTP(answer, request)
	})
	require.Positive(t, answer.written)
	require.LessOrEqual(t, allocations, float64(maxAllocations))
}

// discarded is an answer that nobody reads. It allocates nothing.
type discarded struct {
	header  http.Header
	written int
}

func (d *discarded) Header() http.Header { return d.header }

func (d *discarded) Write(data []byte) (int, error) {
	d.written += len(data)
	return len(data), nil
}

func (d *discarded) WriteHeader(int) {}
