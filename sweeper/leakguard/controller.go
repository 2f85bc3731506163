package leakguard

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/quarantinedpods"
)

const (
	// unknownRetry is after how long the leak guard retries if it does not know yet what
	// selects a pod.
	unknownRetry = time.Second

	// webhookLag is how long the webhook's index may lag behind this one. After that an
	// event reports the leak.
	webhookLag = 5 * time.Second

	// maxRecheckWait is the longest time between two rechecks that the webhook did not see.
	maxRecheckWait = 30 * time.Second
)

// Selectors knows what selects a pod.
type Selectors interface {
	// Namespace returns the selectors of a namespace. It fails while they could be
	// incomplete.
	Namespace(name string) (quarantine.Selectors, error)
}

// controller is the leak guard: whenever a quarantined pod or a selector appears or
// changes, it checks whether something selects the pod, and makes the webhook detach the
// pod again.
//
// A patch that changes nothing never reaches a webhook. So the leak guard sets the
// annotation recheck, which the webhook removes in the same admission. Then it checks the
// pod in the response: the webhook's index may lag behind this one, so it retries with
// backoff until nothing selects the pod.
type controller struct {
	cache     client.Reader
	writer    client.Writer
	selectors Selectors
	clock     clock.PassiveClock
	events    events.Publisher
	metrics   *metrics
	lastSeen  lastSeen
}

// workers is how many pods are checked at the same time. It is small beside the sweeper's
// deletions, which come first, and large enough for a selector that selects hundreds of pods.
const workers = 8

// Options are what the leak guard needs besides a manager.
type Options struct {
	// Selectors knows what selects a pod, and Changes where a selector changed.
	Selectors Selectors
	Changes   *Changes

	Clock   clock.PassiveClock
	Events  events.Publisher
	Metrics prometheus.Registerer
}

// Add adds the leak guard to a manager.
func Add(mgr manager.Manager, options Options) error {
	metrics, err := newMetrics(options.Metrics)
	if err != nil {
		return err
	}
	c := &controller{cache: mgr.GetCache(), writer: mgr.GetClient(), selectors: options.Selectors,
		clock: options.Clock, events: options.Events, metrics: metrics}
	return quarantinedpods.AddController(mgr, "leakguard", workers, c, func(pod *metav1.PartialObjectMetadata) { c.forget(client.ObjectKeyFromObject(pod)) },
		&changeSource{changes: options.Changes, pods: mgr.GetCache()})
}

// Reconcile implements [reconcile.Reconciler].
func (c *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := quarantinedpods.New()
	if err := c.cache.Get(ctx, request.NamespacedName, pod); err != nil {
		c.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	if pod.DeletionTimestamp != nil || status.State != quarantine.Quarantined {
		c.metrics.detached(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	selecting, err := c.selecting(pod)
	if err != nil { // The index logs what it could not read.
		log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
		return reconcile.Result{RequeueAfter: unknownRetry}, nil
	}
	for _, name := range c.lastSeen.newSince(pod, status.Record.DetachedFrom) {
		if !slices.Contains(selecting, name) { // The record has its name, although the pod was not detached from it.
			c.metrics.total.Inc()
			c.events.Publish(detachedEvent(pod, name))
		}
	}
	if len(selecting) == 0 {
		c.metrics.detached(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	now := c.clock.Now()
	since := c.metrics.leaks(request.NamespacedName, now)
	if wait := untilRecheck(pod, since, now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	return reconcile.Result{}, c.detach(ctx, pod, selecting, since)
}

// untilRecheck returns how long to wait until the next recheck of a pod that has leaked since
// a time: longer and longer. A recheck that is still on the pod was not seen by the webhook,
// whose configuration somebody has deleted, for example. It changed the pod, so the pod is
// reconciled at once, whatever the backoff, and without a wait that would never end.
func untilRecheck(pod *metav1.PartialObjectMetadata, since, now time.Time) time.Duration {
	at, err := time.Parse(time.RFC3339Nano, pod.Annotations[quarantine.RecheckKey])
	if err != nil || at.After(now) {
		return 0
	}
	return min(max(at.Sub(since), webhookLag), maxRecheckWait) - now.Sub(at)
}

// forget is called for a pod that is no longer quarantined.
func (c *controller) forget(name types.NamespacedName) {
	c.metrics.detached(name)
	c.lastSeen.forget(name)
}

// detach makes the webhook detach the pod from what selects it. It returns an error if
// something still selects the pod then, so that it is retried.
func (c *controller) detach(ctx context.Context, pod *metav1.PartialObjectMetadata, selecting []string, since time.Time) error {
	name := client.ObjectKeyFromObject(pod)
	err := c.recheck(ctx, pod)
	if apierrors.IsNotFound(err) {
		c.metrics.detached(name)
		return nil
	}
	remaining := selecting
	if err == nil && quarantine.StatusOf(pod.Labels, pod.Annotations).State != quarantine.Quarantined {
		c.forget(name) // It was released, so anything may select it.
		return nil
	}
	if err == nil {
		remaining, err = c.selecting(pod)
	}
	if err == nil && len(remaining) > 0 {
		err = fmt.Errorf("%w: %s", errLeaks, strings.Join(remaining, ", "))
	}
	if err != nil {
		if c.clock.Now().Sub(since) >= webhookLag {
			for _, object := range remaining {
				c.events.Publish(leakingEvent(pod, object))
			}
		}
		return err
	}
	c.metrics.detached(name)
	c.lastSeen.newSince(pod, quarantine.StatusOf(pod.Labels, pod.Annotations).Record.DetachedFrom) // Published here.
	for _, object := range selecting {
		c.events.Publish(detachedEvent(pod, object))
	}
	log.FromContext(ctx).Info(logDetached, "selectedBy", selecting, "uid", pod.UID)
	return nil
}

// selecting returns the names of the objects that select the pod and would block its
// quarantine.
func (c *controller) selecting(pod *metav1.PartialObjectMetadata) ([]string, error) {
	selectors, err := c.selectors.Namespace(pod.Namespace)
	if err != nil {
		return nil, fmt.Errorf("looking up what selects the pod: %w", err)
	}
	var names []string
	for _, s := range selectors.Matching(pod.Labels) {
		if s.BlocksQuarantine() {
			names = append(names, s.String())
		}
	}
	return names, nil
}

// recheck sends the pod through the webhook, and sets pod to the response.
func (c *controller) recheck(ctx context.Context, pod *metav1.PartialObjectMetadata) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         pod.UID, // Not another pod of the same name.
		"annotations": map[string]string{quarantine.RecheckKey: c.clock.Now().UTC().Format(time.RFC3339Nano)},
	}})
	if err != nil {
		return err
	}
	if err := c.writer.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("asking the webhook to check the pod again: %w", err)
	}
	return nil
}
