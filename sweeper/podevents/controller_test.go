package podevents

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

// published collects events.
type published struct{ events []events.Event }

// Publish implements [events.Publisher].
func (p *published) Publish(event events.Event) { p.events = append(p.events, event) }

// summary returns the kind, the type and the reason of each event.
func (p *published) summary() []string {
	var all []string
	for _, e := range p.events {
		all = append(all, e.Regarding.Kind+" "+e.Type+" "+e.Reason)
	}
	return all
}

// cached is a cache with one pod.
type cached struct {
	client.Reader
	pod *metav1.PartialObjectMetadata
}

func (c cached) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if c.pod == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
	}
	c.pod.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

func TestTheEventsInTheLifeOfAPod(t *testing.T) {
	const (
		podQuarantined = "Pod Normal Quarantined"
		expiresSoon    = "Pod Warning ExpiresSoon"
	)
	for _, test := range []struct {
		rule  string
		pod   *metav1.PartialObjectMetadata
		at    time.Duration // after the pod's expiry
		want  []string
		after time.Duration
	}{
		{"a quarantine is published on the pod and on its former controller", gen.Pod(gen.OfReplicaSet()), -time.Hour,
			[]string{"ReplicaSet Normal Quarantined", podQuarantined}, 54 * time.Minute},
		{"without a controller, on the pod only", gen.Pod(), -time.Hour, []string{podQuarantined}, 54 * time.Minute},
		{"a quarantine older than an hour is not published", gen.Pod(gen.QuarantinedFor(3 * time.Hour)), -2 * time.Hour, nil, 105 * time.Minute},
		{"the expiry is not announced before a tenth of the time is left", gen.Pod(gen.QuarantinedFor(10 * time.Minute)), -time.Minute - time.Second, []string{podQuarantined}, time.Second},
		{"then it is", gen.Pod(gen.QuarantinedFor(10 * time.Minute)), -time.Minute, []string{podQuarantined, expiresSoon}, 0},
		{"nor before 15 minutes are left", gen.Pod(gen.QuarantinedFor(240 * time.Hour)), -15*time.Minute - time.Second, nil, time.Second},
		{"then it is, however long the pod was kept", gen.Pod(gen.QuarantinedFor(240 * time.Hour)), -15 * time.Minute, []string{expiresSoon}, 0},
		{"the expiry of a held pod is not announced", gen.Pod(gen.QuarantinedFor(24*time.Hour), gen.Held()), -time.Second, nil, 0},
		{"an expired pod is published by the controller that deletes it", gen.Pod(gen.QuarantinedFor(24 * time.Hour)), 0, nil, 0},
		{"an expiry that can't be true is published", gen.Pod(gen.QuarantinedFor(24*time.Hour), gen.Created(gen.Noon.Add(time.Hour))), 0, []string{"Pod Warning ImplausibleExpiry"}, 0},
		{"a damaged record is published", gen.Pod(gen.Without(quarantine.RecordKey)), 0, []string{"Pod Warning BadRecord"}, 0},
		{"a terminating pod has a minute after its grace period", gen.Pod(gen.Terminating(gen.Noon)), time.Second, nil, 59 * time.Second},
		{"then it is published", gen.Pod(gen.Terminating(gen.Noon)), time.Minute, []string{"Pod Warning StillTerminating"}, 0},
		{"a pod that is gone has no event", nil, 0, nil, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			published := &published{}
			c := &controller{cache: cached{pod: test.pod}, selectors: selectors.NewIndex(), events: published,
				clock: clocktesting.NewFakePassiveClock(gen.Noon.Add(test.at))}
			result, err := c.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "ah", Name: "web-1"}})
			require.NoError(t, err)
			require.Equal(t, reconcile.Result{RequeueAfter: test.after}, result)
			require.Equal(t, test.want, published.summary())
		})
	}
}

func TestTheSameStateIsTheSameEvent(t *testing.T) {
	pod := gen.Pod(gen.OfReplicaSet())
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	later := gen.Pod(gen.OfReplicaSet(), gen.Annotation(quarantine.ExpiresAtKey, "2026-03-01T13:00:00Z"))
	laterStatus := quarantine.StatusOf(later.Labels, later.Annotations)
	name := func(e events.Event) string { return e.Name() }
	require.Equal(t, name(quarantinedEvent(pod, status)), name(quarantinedEvent(later, laterStatus)), "an extension is no other quarantine")
	require.NotEqual(t, name(expiresSoonEvent(pod, status)), name(expiresSoonEvent(later, laterStatus)), "an extension is another expiry")
	owner := corev1.ObjectReference{Kind: "ReplicaSet", Name: "web", UID: "set-1"}
	other := gen.Pod(gen.UID("uid-2"))
	require.NotEqual(t, name(podLeftEvent(pod, owner, nil)), name(podLeftEvent(other, owner, nil)), "a controller has an event for each of its pods")
}
