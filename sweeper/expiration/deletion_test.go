package expiration

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/internal/gen"
	"isolate.example.io/test/framework/logs"
)

func TestADeletionIsOfThePodThatWasChecked(t *testing.T) {
	c := newCluster(gen.Pod())
	_, err := c.newController(t).Reconcile(t.Context(), gen.Request)
	require.NoError(t, err)
	require.Len(t, c.deletes, 1)
	require.EqualValues(t, "uid-1", *c.deletes[0].Preconditions.UID)
	require.Equal(t, "7", *c.deletes[0].Preconditions.ResourceVersion)
	require.Zero(t, c.lists, "no read precedes the delete")
}

func TestTheResultOfADeletion(t *testing.T) {
	refused := apierrors.NewForbidden(resource, "web-1", errors.New("not today"))
	for _, test := range []struct {
		result   DeleteResult
		response error
		want     error
		log      []string
		state    deletions.State
	}{
		{DeleteAccepted, nil, nil, []string{logDeleted}, deletions.Accepted},
		{DeleteGone, apierrors.NewNotFound(resource, "web-1"), nil, []string{logGone}, deletions.Accepted},
		{DeleteConflict, conflict, nil, []string{logConflict}, deletions.None},
		{DeleteFailed, refused, refused, nil, deletions.None},
	} {
		t.Run(string(test.result), func(t *testing.T) {
			c := newCluster(gen.Pod())
			c.responses = []error{test.response}
			controller := c.newController(t)
			ctx, lines := logs.Messages(t)
			_, err := controller.Reconcile(ctx, gen.Request)
			require.ErrorIs(t, err, test.want)
			require.Len(t, c.deletes, 1)
			require.InDelta(t, 1, testutil.ToFloat64(controller.metrics.deletions.WithLabelValues(string(test.result))), 0)
			require.Equal(t, test.log, *lines)
			require.Equal(t, test.result == DeleteAccepted, len(c.events) > 0, "only the replica that deletes a pod publishes it")
			require.Equal(t, test.state, controller.deletions.StateOf("uid-1"))
		})
	}
}

// With the lagging cache, the deletion would conflict until the cache has caught up.
func TestAfterAConflictThePodIsCheckedAsTheAPIServerHasIt(t *testing.T) {
	version := func(v string) gen.Option {
		return func(pod *metav1.PartialObjectMetadata) { pod.ResourceVersion = v }
	}
	for _, test := range []struct {
		rule      string
		stored    *metav1.PartialObjectMetadata
		responses []error
		versions  []string
		after     time.Duration
	}{
		{"its status changed", gen.Pod(version("8")), []error{conflict}, []string{"7", "8"}, 0},
		{"it changes faster than it can be read", gen.Pod(version("8")), []error{conflict, conflict}, []string{"7", "8"}, conflictRetry},
		{"it was held", gen.Pod(version("8"), gen.Held()), []error{conflict}, []string{"7"}, 0},
		{"it was extended", gen.Pod(version("8"), gen.Annotation(quarantine.ExpiresAtKey, "2026-03-01T13:00:00Z")), []error{conflict}, []string{"7"}, time.Hour},
		{"it was released", gen.Pod(version("8"), gen.Released()), []error{conflict}, []string{"7"}, 0},
		{"it was replaced by a pod of the same name", gen.Pod(version("8"), gen.UID("uid-2")), []error{conflict}, []string{"7"}, 0},
		{"it is gone", nil, []error{conflict}, []string{"7"}, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := newCluster(gen.Pod())
			c.stored, c.responses = test.stored, test.responses
			result, err := c.newController(t).Reconcile(t.Context(), gen.Request)
			require.NoError(t, err)
			require.Equal(t, test.after, result.RequeueAfter)
			var versions []string
			for _, options := range c.deletes {
				versions = append(versions, *options.Preconditions.ResourceVersion)
			}
			require.Equal(t, test.versions, versions)
		})
	}
}

func TestAPodThatWasDeletedIsNotDeletedAgainWhileTheCacheLags(t *testing.T) {
	c := newCluster(gen.Pod())
	controller := c.newController(t)
	for range 2 {
		_, err := controller.Reconcile(t.Context(), gen.Request)
		require.NoError(t, err)
	}
	require.Len(t, c.deletes, 1)
}

func TestADeletionThatWasSentIsFinished(t *testing.T) {
	c := newCluster(gen.Pod())
	ctx, stop := context.WithCancel(t.Context())
	controller := c.newController(t)
	c.deleting = func() {
		stop()
		require.Equal(t, deletions.InFlight, controller.deletions.StateOf("uid-1"))
	}
	_, err := controller.Reconcile(ctx, gen.Request)
	require.NoError(t, err)
	require.Len(t, c.deletes, 1)
}

func TestTheEventOfADeletion(t *testing.T) {
	c := newCluster(gen.Pod())
	_, err := c.newController(t).Reconcile(t.Context(), gen.Request)
	require.NoError(t, err)
	require.Len(t, c.events, 1)
	require.Equal(t, "Expired", c.events[0].Reason)
	require.Equal(t, "Deleted: it expired at 2026-03-01T12:00:00Z. To keep a pod longer, set isolate.example.io/extend or isolate.example.io/hold=true", c.events[0].Note)
}
