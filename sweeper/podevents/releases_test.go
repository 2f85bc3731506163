package podevents

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

// stored are the pods that the API server has.
type stored struct {
	client.Reader
	pods  []metav1.PartialObjectMetadata
	err   error
	lists int
}

func (s *stored) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	s.lists++
	into.(*metav1.PartialObjectMetadataList).Items = s.pods
	return s.err
}

func newTestReleases(t *testing.T, live client.Reader) (*releases, *published) {
	t.Helper()
	published := &published{}
	r, err := newReleases(live, Options{Deletions: deletions.NewTracker(), Events: published, Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)
	return r, published
}

func TestAPodThatLeavesTheQuarantineWasReleasedOrDeleted(t *testing.T) {
	for _, test := range []struct {
		rule   string
		stored []metav1.PartialObjectMetadata
		want   []events.Event
	}{
		{"it was released", []metav1.PartialObjectMetadata{*gen.Pod(gen.Released())}, []events.Event{releasedEvent(gen.Pod())}},
		{"it was deleted", nil, nil},
		{"it was released and is terminating", []metav1.PartialObjectMetadata{*gen.Pod(gen.Released(), gen.Terminating(gen.Noon))}, nil},
		{"it was replaced by a pod of the same name", []metav1.PartialObjectMetadata{*gen.Pod(gen.Released(), gen.UID("uid-2"))}, nil},
		{"only its label was removed", []metav1.PartialObjectMetadata{*gen.Pod(gen.Without(quarantine.QuarantinedLabel))}, nil},
	} {
		t.Run(test.rule, func(t *testing.T) {
			live := &stored{pods: test.stored}
			r, published := newTestReleases(t, live)
			r.gone(gen.Pod())
			r.checkAll(t.Context())
			r.checkAll(t.Context())
			require.Equal(t, test.want, published.events)
			require.Equal(t, 1, live.lists)
		})
	}
}

// A request for each pod would double the API server's work when many expire.
func TestThePodsThatIsolateDeletesAreNotRead(t *testing.T) {
	live := &stored{}
	r, _ := newTestReleases(t, live)
	r.deletions.Begin("uid-1")
	r.gone(gen.Pod())
	r.checkAll(t.Context())
	require.Zero(t, live.lists, "the response to the deletion decides")
	r.deletions.End("uid-1", true)
	r.checkAll(t.Context())
	r.gone(gen.Pod())
	r.gone(gen.Pod(gen.UID("uid-2"), gen.Terminating(gen.Noon)))
	r.checkAll(t.Context())
	require.Zero(t, live.lists)
	require.Empty(t, r.pending)
}

func TestAPodThatWasReleasedBeforeItsDeletionIsPublished(t *testing.T) {
	live := &stored{pods: []metav1.PartialObjectMetadata{*gen.Pod(gen.Released())}}
	r, published := newTestReleases(t, live)
	r.deletions.Begin("uid-1")
	r.gone(gen.Pod())
	r.checkAll(t.Context())
	r.deletions.End("uid-1", false)
	r.checkAll(t.Context())
	require.Equal(t, []events.Event{releasedEvent(gen.Pod())}, published.events)
}

func TestManyPodsOfANamespaceAreReadByOneList(t *testing.T) {
	live := &stored{pods: []metav1.PartialObjectMetadata{*gen.Pod(gen.Released())}}
	r, published := newTestReleases(t, live)
	for i := range maxSingleReads + 1 {
		r.gone(gen.Pod(gen.UID(fmt.Sprintf("uid-%d", i))))
	}
	r.checkAll(t.Context())
	require.Equal(t, 1, live.lists)
	require.Len(t, published.events, 1)
}

func TestPodsThatCouldNotBeReadAreCheckedAgain(t *testing.T) {
	live := &stored{err: errors.New("connection refused")}
	r, _ := newTestReleases(t, live)
	r.gone(gen.Pod())
	r.checkAll(t.Context())
	require.Equal(t, map[types.UID]types.NamespacedName{"uid-1": {Namespace: "ah", Name: "web-1"}}, r.pending)
}

func TestThePodsThatWaitToBeCheckedAreBounded(t *testing.T) {
	r, _ := newTestReleases(t, nil)
	for i := range maxPending + 2 {
		r.gone(gen.Pod(gen.UID(strconv.Itoa(i))))
	}
	require.Len(t, r.pending, maxPending)
	require.InDelta(t, 2, testutil.ToFloat64(r.unchecked), 0)
}
