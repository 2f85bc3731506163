package expiration

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/internal/gen"
	"isolate.example.io/test/framework/logs"
)

func TestReconcile(t *testing.T) {
	const skewed = "The local clock and the API server's clock differ; isolate stamps pods by the API server's clock, and deletes them when both have reached the expiry. " +
		"Check the node's time synchronization"
	for _, test := range []struct {
		rule          string
		pod           *metav1.PartialObjectMetadata
		local, server time.Duration // after the pod's expiry
		deletes       int
		after         time.Duration
		log           []string
	}{
		{"a pod that is gone needs nothing", nil, 0, 0, 0, 0, nil},
		{"it sleeps for exactly the time that is left", gen.Pod(), -90 * time.Minute, -90 * time.Minute, 0, 90 * time.Minute, []string{logWaiting}},
		{"it sleeps for a fraction of a second", gen.Pod(), -time.Millisecond, 0, 0, time.Millisecond, []string{logWaiting}},
		{"it deletes on the second", gen.Pod(), 0, 0, 1, 0, []string{logDeleted}},
		{"a local clock an hour ahead deletes nothing early", gen.Pod(), 0, -time.Hour, 0, time.Hour, []string{skewed, logServerLate}},
		{"a local clock an hour behind deletes nothing early", gen.Pod(), -time.Hour, 0, 0, time.Hour, []string{logWaiting}},
		{"a pod that has expired by both clocks is deleted although they differ", gen.Pod(), 2 * time.Hour, time.Hour, 1, 0, []string{skewed, logDeleted}},
		{"a held pod needs no timer", gen.Pod(gen.Held()), time.Hour, time.Hour, 0, 0, []string{logHeld}},
		{"a terminating pod needs no timer", gen.Pod(gen.Terminating(gen.Noon)), time.Hour, time.Hour, 0, 0, nil},
		{"a pod whose expiry can't be true is reported", gen.Pod(gen.Created(gen.Noon.Add(30 * time.Minute))), time.Hour, time.Hour, 0, 0, []string{logImplausible}},
		{"a damaged pod is reported", gen.Pod(gen.Without(quarantine.RecordKey)), time.Hour, time.Hour, 0, 0, []string{logDamaged}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := newCluster(test.pod)
			c.local.SetTime(gen.Noon.Add(test.local))
			c.server = gen.Noon.Add(test.server)
			controller := c.newController(t)
			ctx, lines := logs.Messages(t)
			result, err := controller.Reconcile(ctx, gen.Request)
			require.NoError(t, err)
			require.Equal(t, reconcile.Result{RequeueAfter: test.after}, result)
			require.Len(t, c.deletes, test.deletes)
			require.Equal(t, test.log, *lines)

			_, err = controller.Reconcile(ctx, gen.Request)
			require.NoError(t, err)
			require.Equal(t, test.log, *lines, "the same decision is not logged again")
		})
	}
}

func TestNothingIsDeletedWithoutTheServersTime(t *testing.T) {
	c := newCluster(gen.Pod())
	c.noDate = true
	_, err := c.newController(t).Reconcile(t.Context(), gen.Request)
	require.EqualError(t, err, "reading the API server's time: the API server's responses have no Date header, so isolate can't tell its time")
	require.Empty(t, c.deletes)
}

func TestADecisionIsLoggedAgainForAnotherExpiryAndAfterThePodWasGone(t *testing.T) {
	c := newCluster(gen.Pod())
	c.local.SetTime(gen.Noon.Add(-time.Hour))
	controller := c.newController(t)
	ctx, lines := logs.Messages(t)
	for _, pod := range []*metav1.PartialObjectMetadata{gen.Pod(), gen.Pod(gen.Annotation(quarantine.ExpiresAtKey, "2026-03-01T15:00:00Z"))} {
		c.cached = pod
		_, err := controller.Reconcile(ctx, gen.Request)
		require.NoError(t, err)
	}
	controller.decisions.forget(gen.Pod())
	_, err := controller.Reconcile(ctx, gen.Request)
	require.NoError(t, err)
	require.Equal(t, []string{logWaiting, logWaiting, logWaiting}, *lines)
}
