package sweeper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
)

// lines are the messages that were logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) messages() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.all...)
}

// logged returns a context whose logger keeps the messages.
func logged(t *testing.T) (context.Context, *lines) {
	t.Helper()
	kept := &lines{}
	sink := funcr.NewJSON(func(string) {}, funcr.Options{RenderBuiltinsHook: func(pairs []any) []any {
		kept.mu.Lock()
		defer kept.mu.Unlock()
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == "msg" {
				kept.all = append(kept.all, pairs[i+1].(string))
			}
		}
		return pairs
	}})
	return log.IntoContext(t.Context(), logr.New(sink.GetSink())), kept
}

// onePod is a cluster with one pod, or none, and what is stored of those that aren't
// quarantined. Deleting the one ends as answer says.
type onePod struct {
	client.Client
	pod     *metav1.PartialObjectMetadata
	stored  []metav1.PartialObjectMetadata
	lists   int
	answer  error
	deletes []metav1.DeleteOptions

	deleting func() // called in the middle
}

func (o *onePod) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if o.pod == nil {
		return apierrors.NewNotFound(pods, key.Name)
	}
	o.pod.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

func (o *onePod) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	o.lists++
	into.(*metav1.PartialObjectMetadataList).Items = o.stored
	return nil
}

// Pods implements [corev1client.PodsGetter].
func (o *onePod) Pods(string) corev1client.PodInterface { return podDeleter{onePod: o} }

type podDeleter struct {
	corev1client.PodInterface
	onePod *onePod
}

func (d podDeleter) Delete(ctx context.Context, _ string, options metav1.DeleteOptions) error {
	o := d.onePod
	if o.deleting != nil {
		o.deleting()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o.deletes = append(o.deletes, options)
	return o.answer
}

var pods = schema.GroupResource{Resource: "pods"}

func newExpiry(t *testing.T, w *world, cluster *onePod) *expiry {
	t.Helper()
	metrics, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	events := newTestPublisher(w.local, cluster)
	return &expiry{reader: cluster, writer: cluster, local: w.local, clocks: w.clocks, metrics: metrics,
		events: events, releases: newReleases(cluster, events)}
}

var webPod = reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "ah", Name: "web-1"}}

func TestReconcile(t *testing.T) {
	for _, test := range []struct {
		rule          string
		pod           *metav1.PartialObjectMetadata
		local, server time.Duration // after noon, when the pod expires
		deletes       int
		after         time.Duration
		log           []string
	}{
		{"a pod that is gone needs nothing", nil, 0, 0, 0, 0, nil},
		{"sleeps for exactly what remains", quarantined(), -90 * time.Minute, -90 * time.Minute, 0, 90 * time.Minute, []string{logWaiting}},
		{"sleeps for a fraction of a second", quarantined(), -time.Millisecond, 0, 0, time.Millisecond, []string{logWaiting}},
		{"deletes on the second", quarantined(), 0, 0, 1, 0, []string{logDeleted}},
		{"a local clock an hour ahead deletes nothing early", quarantined(), 0, -time.Hour, 0, time.Hour, []string{logSkewed, logServerLate}},
		{"a local clock an hour behind deletes nothing early", quarantined(), -time.Hour, 0, 0, time.Hour, []string{logWaiting}},
		{"what has expired by both clocks is deleted although they differ", quarantined(), 2 * time.Hour, time.Hour, 1, 0, []string{logSkewed, logDeleted}},
		{"a held pod does not wake by itself", quarantined(annotated(quarantine.HoldKey, "true")), time.Hour, time.Hour, 0, 0, []string{logHeld}},
		{"a terminating pod does not wake by itself", quarantined(terminating), time.Hour, time.Hour, 0, 0, nil},
		{"a damaged pod is reported", quarantined(without(quarantine.RecordKey)), time.Hour, time.Hour, 0, 0, []string{logDamaged}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			w, cluster := newWorld(), &onePod{pod: test.pod}
			w.local.SetTime(noon.Add(test.local))
			w.server = noon.Add(test.server)
			e := newExpiry(t, w, cluster)
			ctx, lines := logged(t)
			result, err := e.Reconcile(ctx, webPod)
			require.NoError(t, err)
			require.Equal(t, reconcile.Result{RequeueAfter: test.after}, result)
			require.Len(t, cluster.deletes, test.deletes)
			require.Equal(t, test.log, lines.messages())

			_, err = e.Reconcile(ctx, webPod)
			require.NoError(t, err)
			require.Equal(t, test.log, lines.messages(), "what was said is not said again")
		})
	}
}

func TestOnlyWhatWasJudgedIsDeleted(t *testing.T) {
	cluster := &onePod{pod: quarantined()}
	_, err := newExpiry(t, newWorld(), cluster).Reconcile(t.Context(), webPod)
	require.NoError(t, err)
	require.Len(t, cluster.deletes, 1)
	require.EqualValues(t, "uid-1", *cluster.deletes[0].Preconditions.UID)
	require.Equal(t, "7", *cluster.deletes[0].Preconditions.ResourceVersion)
}

func TestHowADeletionEnds(t *testing.T) {
	refused := apierrors.NewForbidden(pods, "web-1", errors.New("not today"))
	for _, test := range []struct {
		outcome Outcome
		answer  error
		want    error
		after   time.Duration
		log     []string
	}{
		{OutcomeDeleted, nil, nil, 0, []string{logDeleted}},
		{OutcomeGone, apierrors.NewNotFound(pods, "web-1"), nil, 0, []string{logGone}},
		{OutcomeConflict, apierrors.NewConflict(pods, "web-1", errors.New("changed")), nil, conflictRetry, []string{logConflict}},
		{OutcomeFailed, refused, refused, 0, nil},
	} {
		t.Run(string(test.outcome), func(t *testing.T) {
			cluster := &onePod{pod: quarantined(), answer: test.answer}
			e := newExpiry(t, newWorld(), cluster)
			ctx, lines := logged(t)
			result, err := e.Reconcile(ctx, webPod)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, test.after, result.RequeueAfter)
			require.Len(t, cluster.deletes, 1)
			require.InDelta(t, 1, testutil.ToFloat64(e.metrics.deletions.WithLabelValues(string(test.outcome))), 0)
			require.Equal(t, test.log, lines.messages())
			require.Equal(t, test.outcome == OutcomeDeleted, slices.Contains(published(e.events), "Pod Expired"), "only who deleted it tells")

			require.Equal(t, test.outcome != OutcomeDeleted && test.outcome != OutcomeGone, len(e.releases.pods) > 0, "what is gone is followed no more")
		})
	}
}

func TestADeletionOnItsWayIsFinished(t *testing.T) {
	cluster := &onePod{pod: quarantined()}
	ctx, stop := context.WithCancel(t.Context())
	e := newExpiry(t, newWorld(), cluster)
	cluster.deleting = func() {
		stop()
		require.Equal(t, 1, e.events.first.going, "events wait")
	}
	_, err := e.Reconcile(ctx, webPod)
	require.NoError(t, err)
	require.Zero(t, e.events.first.going)
	require.Len(t, cluster.deletes, 1)
}

func TestNothingIsDeletedWithoutTheServersTime(t *testing.T) {
	w, cluster := newWorld(), &onePod{pod: quarantined()}
	w.noDate = true
	_, err := newExpiry(t, w, cluster).Reconcile(t.Context(), webPod)
	require.ErrorIs(t, err, errNoTime)
	require.Empty(t, cluster.deletes)
}

func TestAChangedExpiryIsSaidAgain(t *testing.T) {
	w, cluster := newWorld(), &onePod{pod: quarantined()}
	w.local.SetTime(noon.Add(-time.Hour))
	e := newExpiry(t, w, cluster)
	ctx, lines := logged(t)
	for _, pod := range []*metav1.PartialObjectMetadata{
		quarantined(), quarantined(annotated(quarantine.ExpiresAtKey, "2026-03-01T15:00:00Z")), nil, quarantined(),
	} {
		cluster.pod = pod
		_, err := e.Reconcile(ctx, webPod)
		require.NoError(t, err)
	}
	require.Equal(t, []string{logWaiting, logWaiting, logWaiting}, lines.messages())
}

func TestCount(t *testing.T) {
	items := []metav1.PartialObjectMetadata{
		*quarantined(annotated(quarantine.ExpiresAtKey, "2026-03-02T12:00:00Z")),
		*quarantined(annotated(quarantine.QuarantinedAtKey, "2026-03-01T02:00:00Z")),
		*quarantined(annotated(quarantine.HoldKey, "true")),
		*quarantined(terminating),
		*quarantined(without(quarantine.ExpiresAtKey)),
	}
	require.Equal(t, map[*prometheus.Desc]float64{
		descQuarantined: 4, descHeld: 1, descOverdue: 1, descTerminating: 1, descDamaged: 1, descOldest: 36000,
	}, count(items, noon))
	require.Zero(t, count(nil, noon)[descOldest])
}

func TestTheCacheKeepsIsolatesAnnotationsAlone(t *testing.T) {
	pod := quarantined(annotated("kubectl.kubernetes.io/last-applied-configuration", "{}"))
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	stripped, err := strip(pod)
	require.NoError(t, err)
	require.Equal(t, quarantined(), stripped)
}
