package startupscan

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

var errNotReady = errors.New("the scan began before the replica was ready")

// cluster has pods, in pages of one. The first request for the second page is too late.
type cluster struct {
	client.Reader
	ready   bool
	pods    []metav1.PartialObjectMetadata
	expired bool
	events  []events.Event
}

func (c *cluster) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var request client.ListOptions
	request.ApplyOptions(options)
	if !c.ready {
		return errNotReady
	}
	page := len(request.Continue)
	if page == 1 && !c.expired {
		c.expired = true
		late := apierrors.NewResourceExpired("the provided continue parameter is too old")
		late.ErrStatus.Continue = "x"
		return late
	}
	pods := into.(*metav1.PartialObjectMetadataList)
	pods.Items = c.pods[page : page+1]
	if page+1 < len(c.pods) {
		pods.Continue = strings.Repeat("x", page+1)
	}
	return nil
}

// Wait implements [Source].
func (c *cluster) Wait(context.Context) error {
	c.ready = true
	return nil
}

// Publish implements [events.Publisher].
func (c *cluster) Publish(event events.Event) { c.events = append(c.events, event) }

func TestTheScanFindsIgnoredTriggersAndUnlabelledRecords(t *testing.T) {
	triggered := func(pod *metav1.PartialObjectMetadata) {
		pod.Labels, pod.Annotations = nil, map[string]string{quarantine.TriggerKey: quarantine.True}
	}
	unlabelled := gen.Without(quarantine.QuarantinedLabel)
	c := &cluster{pods: []metav1.PartialObjectMetadata{
		*gen.Pod(),
		*gen.Pod(triggered),
		*gen.Pod(triggered, gen.Terminating(gen.Noon)),
		*gen.Pod(unlabelled),
		*gen.Pod(gen.Released()),
	}}
	registry := prometheus.NewRegistry()
	metrics, err := newMetrics(registry)
	require.NoError(t, err)
	count, err := testutil.GatherAndCount(registry)
	require.NoError(t, err)
	require.Zero(t, count, "nothing is known before the scan")

	s := &scan{after: c, live: c, deletions: deletions.NewTracker(), events: c, metrics: metrics}
	require.NoError(t, s.Start(t.Context()))
	require.Equal(t, []events.Event{ignoredEvent(gen.Pod()), unlabelledEvent(gen.Pod())}, c.events)
	require.InDelta(t, 1, testutil.ToFloat64(metrics.ignored), 0)
	require.InDelta(t, 1, testutil.ToFloat64(metrics.unlabelled), 0)
}

func TestTheNotesOfTheScan(t *testing.T) {
	for want, got := range map[string]events.Event{
		"This pod has isolate.example.io/quarantine=true but was never quarantined: only a change to true quarantines a pod. " +
			"To quarantine it: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-, " +
			"then kubectl annotate pod -n ah web-1 isolate.example.io/quarantine=true": ignoredEvent(gen.Pod()),
		"This pod has a part of the record of a quarantine without the label isolate.example.io/quarantined=true, so isolate will not delete the pod. " +
			"To release it: kubectl annotate pod -n ah web-1 --overwrite isolate.example.io/quarantine=false. " +
			"To delete it: kubectl delete pod -n ah web-1": unlabelledEvent(gen.Pod()),
	} {
		require.Equal(t, want, got.Note)
	}
}
