package startupscan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/deletions"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// pageSize bounds what is in memory at a time: metadata can have 256 KiB of
	// annotations.
	pageSize = 100
	// pageTimeout bounds one request, and the wait for deletions before it. pageRetry is
	// when a request that failed is repeated.
	pageTimeout, pageRetry = 30 * time.Second, 5 * time.Second
)

// scan reads all pods once. It publishes what it finds and changes nothing.
type scan struct {
	after     Source
	live      client.Reader
	clock     clock.Clock
	deletions *deletions.Tracker
	events    events.Publisher
	metrics   *metrics
}

// findings count the pods that were found.
type findings struct {
	ignored, unlabelled int
}

// Source is read from the API server when a replica starts.
type Source interface {
	// Wait waits until the source is known, or the context ends.
	Wait(ctx context.Context) error
}

// Options are what the scan needs besides a manager.
type Options struct {
	// After, unless nil, is what a replica needs to be ready. Nothing depends on the scan, so
	// it begins afterwards and does not delay that.
	After Source

	Elapsed   clock.Clock
	Deletions *deletions.Tracker
	Events    events.Publisher
	Metrics   prometheus.Registerer
}

// Add adds the scan to a manager. The leader runs it.
func Add(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return err
	}
	return mgr.Add(&scan{after: options.After, live: mgr.GetAPIReader(), clock: options.Elapsed, deletions: options.Deletions, events: options.Events, metrics: metrics})
}

// Start implements [manager.Runnable].
func (s *scan) Start(ctx context.Context) error {
	if s.after != nil {
		_ = s.after.Wait(ctx) // After an error, the scan begins as well: it does not need the source.
	}
	var found findings
	page := ""
	for {
		s.deletions.Wait(ctx, pageTimeout)
		next, err := s.scanPage(ctx, page, &found)
		switch {
		case err != nil:
			log.FromContext(ctx).Error(err, logFailed)
			select {
			case <-ctx.Done():
				return nil
			case <-s.clock.After(pageRetry):
			}
		case next == "":
			s.metrics.set(found)
			log.FromContext(ctx).Info(logScanned, "ignoredTriggers", found.ignored, "unlabelledRecords", found.unlabelled)
			return nil
		default:
			page = next
		}
	}
}

// scanPage scans one page, and returns where the next one begins.
func (s *scan) scanPage(ctx context.Context, page string, found *findings) (next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	pods := quarantinedpods.NewList()
	if err := s.live.List(ctx, pods, client.Limit(pageSize), client.Continue(page)); err != nil {
		if token := continueToken(err); token != "" {
			return token, nil
		}
		return "", fmt.Errorf("listing all pods to find ignored triggers: %w", err)
	}
	for i := range pods.Items {
		s.check(&pods.Items[i], found)
	}
	return pods.Continue, nil
}

// continueToken returns the token that the API server sends when a list has expired. With it,
// the list continues in a newer state, after the pods that were read.
func continueToken(err error) string {
	status := apierrors.APIStatus(nil)
	if apierrors.IsResourceExpired(err) && errors.As(err, &status) {
		return status.Status().Continue
	}
	return ""
}

func (s *scan) check(pod *metav1.PartialObjectMetadata, found *findings) {
	if pod.DeletionTimestamp != nil || pod.Labels[quarantine.QuarantinedLabel] == quarantine.QuarantinedValue {
		return // The cache has the pods with the label.
	}
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	switch {
	case status.State == quarantine.Damaged:
		found.unlabelled++
		s.events.Publish(unlabelledEvent(pod))
	case status.State == quarantine.Free && pod.Annotations[quarantine.TriggerKey] == quarantine.True:
		found.ignored++
		s.events.Publish(ignoredEvent(pod))
	}
}
