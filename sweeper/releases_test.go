package sweeper

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

// free has a pod released.
func free(pod *metav1.PartialObjectMetadata) { pod.Labels, pod.Annotations = nil, nil }

func TestAPodThatLeavesWasReleasedOrDeleted(t *testing.T) {
	for _, test := range []struct {
		rule   string
		stored []metav1.PartialObjectMetadata
		want   []string
	}{
		{"released", []metav1.PartialObjectMetadata{*quarantined(free)}, []string{"Pod Released"}},
		{"deleted", nil, nil},
		{"released and being deleted", []metav1.PartialObjectMetadata{*quarantined(free, terminating)}, nil},
		{"replaced by one of the same name", []metav1.PartialObjectMetadata{
			*quarantined(free, func(pod *metav1.PartialObjectMetadata) { pod.UID = "uid-2" }),
		}, nil},
		{"its label was taken away", []metav1.PartialObjectMetadata{*quarantined(without(quarantine.QuarantinedLabel))}, nil},
	} {
		t.Run(test.rule, func(t *testing.T) {
			w, cluster := newWorld(), &onePod{stored: test.stored}
			w.local.SetTime(noon.Add(-time.Hour))
			e := newExpiry(t, w, cluster)
			for _, pod := range []*metav1.PartialObjectMetadata{quarantined(), nil, nil} {
				cluster.pod = pod
				_, err := e.Reconcile(t.Context(), webPod)
				require.NoError(t, err)
			}
			require.Equal(t, test.want, published(e.events))
			require.Equal(t, 1, cluster.lists)
			require.Empty(t, e.releases.pods)
		})
	}
}

// A list for each pod would double what the API server has to do when many expire.
func TestAPodThatTheSweeperDeletesIsNotLookedFor(t *testing.T) {
	for _, test := range []struct {
		rule   string
		answer error
		lists  int
		want   []string
	}{
		{"deleted", nil, 0, []string{"Pod Expired"}},
		{"gone already", apierrors.NewNotFound(pods, "web-1"), 0, nil},
		{"released a moment before", apierrors.NewConflict(pods, "web-1", errors.New("changed")), 1, []string{"Pod Released"}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			cluster := &onePod{pod: quarantined(), answer: test.answer, stored: []metav1.PartialObjectMetadata{*quarantined(free)}}
			e := newExpiry(t, newWorld(), cluster)
			for _, pod := range []*metav1.PartialObjectMetadata{quarantined(), nil} {
				cluster.pod = pod
				_, err := e.Reconcile(t.Context(), webPod)
				require.NoError(t, err)
			}
			require.Equal(t, test.lists, cluster.lists)
			require.Equal(t, test.want, published(e.events))
			require.Empty(t, e.releases.pods)
		})
	}
}

func TestAPodThatWasTerminatingIsNotLookedFor(t *testing.T) {
	w, cluster := newWorld(), &onePod{}
	w.local.SetTime(noon.Add(-time.Hour))
	e := newExpiry(t, w, cluster)
	for _, pod := range []*metav1.PartialObjectMetadata{quarantined(), quarantined(terminating), nil} {
		cluster.pod = pod
		_, err := e.Reconcile(t.Context(), webPod)
		require.NoError(t, err)
	}
	require.Zero(t, cluster.lists)
	require.Empty(t, e.releases.pods)
}
