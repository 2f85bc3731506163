package quarantinedpods_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/internal/gen"
	"isolate.example.io/sweeper/quarantinedpods"
)

// cached is a cache with these pods.
type cached struct {
	client.Reader
	pods []metav1.PartialObjectMetadata
}

func (c cached) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	into.(*metav1.PartialObjectMetadataList).Items = c.pods
	return nil
}

func TestTheLeaderCountsThePodsOfEachState(t *testing.T) {
	pods := cached{pods: []metav1.PartialObjectMetadata{
		*gen.Pod(gen.Annotation(quarantine.ExpiresAtKey, "2026-03-02T12:00:00Z")),
		*gen.Pod(gen.QuarantinedFor(10 * time.Hour)),
		*gen.Pod(gen.Held()),
		*gen.Pod(gen.Terminating(gen.Noon)),
		*gen.Pod(gen.Without(quarantine.ExpiresAtKey)),
		*gen.Pod(gen.Created(gen.Noon.Add(time.Hour))),
		*gen.Pod(gen.Annotation(quarantine.ExpiresAtKey, "2026-03-01T13:00:00Z"), gen.Namespace("shop")),
	}}
	elected := make(chan struct{})
	registry := prometheus.NewRegistry()
	require.NoError(t, quarantinedpods.RegisterMetrics(pods, elected, clocktesting.NewFakePassiveClock(gen.Noon), registry))
	count, err := testutil.GatherAndCount(registry)
	require.NoError(t, err)
	require.Zero(t, count, "a replica that does not lead counts nothing")

	close(elected)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP isolate_damaged_pods Quarantined pods with a damaged record. isolate does not delete them.
# TYPE isolate_damaged_pods gauge
isolate_damaged_pods 1
# HELP isolate_held_pods Quarantined pods that are held.
# TYPE isolate_held_pods gauge
isolate_held_pods 1
# HELP isolate_implausible_pods Quarantined pods with an expiry that can't be true, because a clock was wrong. isolate does not delete them.
# TYPE isolate_implausible_pods gauge
isolate_implausible_pods 1
# HELP isolate_next_expiry_timestamp_seconds When the next quarantined pod expires that is not held. Absent if there is none.
# TYPE isolate_next_expiry_timestamp_seconds gauge
isolate_next_expiry_timestamp_seconds 1.77237e+09
# HELP isolate_oldest_quarantine_seconds Age of the oldest quarantine, 0 if there is none.
# TYPE isolate_oldest_quarantine_seconds gauge
isolate_oldest_quarantine_seconds 36000
# HELP isolate_overdue_pods Quarantined pods that have expired, are not held, and are not terminating.
# TYPE isolate_overdue_pods gauge
isolate_overdue_pods 1
# HELP isolate_quarantined_pods Quarantined pods of each namespace that has any.
# TYPE isolate_quarantined_pods gauge
isolate_quarantined_pods{namespace="ah"} 5
isolate_quarantined_pods{namespace="shop"} 1
# HELP isolate_terminating_pods Quarantined pods that are terminating. A finalizer or a lost node can block them.
# TYPE isolate_terminating_pods gauge
isolate_terminating_pods 1
`)))
}
