package sweeper

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
)

// Selectors answers for a namespace who selects a pod. It fails as long as the
// answer could be incomplete.
type Selectors interface {
	Namespace(name string) (quarantine.Selectors, error)
}

// unknownRetry is when a pod is looked at again of which nobody could say yet what
// selects it.
const unknownRetry = time.Second

// leakPatience is how long the webhook may take to know what the leak guard knows,
// before people are told that a pod can't be taken out.
const leakPatience = 5 * time.Second

// leaks is the leak guard: it looks whether something has come to select a
// quarantined pod, whenever the pod or a selector appears or changes, and has
// the webhook take the pod out again.
//
// A patch that changes nothing never reaches a webhook, so it sets the annotation
// recheck, which the webhook removes in the same admission. Then it looks at what
// came back: the webhook's index may lag behind this one, so it tries again,
// later each time, until the pod is out.
type leaks struct {
	reader    client.Reader
	writer    client.Writer
	selectors Selectors
	clock     clock.PassiveClock
	events    *publisher
	metrics   *leakMetrics
	seen      takings
}

// Reconcile implements [reconcile.Reconciler].
func (l *leaks) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := newPod()
	if err := l.reader.Get(ctx, request.NamespacedName, pod); err != nil {
		l.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	if pod.DeletionTimestamp != nil || status.State != quarantine.Quarantined {
		l.metrics.out(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	selecting, err := l.selecting(pod)
	if err != nil { // What could not be read is logged where it is read.
		log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
		return reconcile.Result{RequeueAfter: unknownRetry}, nil
	}
	for _, name := range l.seen.news(pod, status.Record.DetachedFrom) {
		if !slices.Contains(selecting, name) { // The record names who was to let go, even if that failed.
			l.metrics.found()
			l.events.publish(leaked(pod, name))
		}
	}
	if len(selecting) == 0 {
		l.metrics.out(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, l.takeOut(ctx, pod, selecting)
}

// forget is for a pod that is no longer quarantined.
func (l *leaks) forget(name types.NamespacedName) {
	l.metrics.out(name)
	l.seen.forget(name)
}

// takeOut has the pod taken out of what selects it, and fails where that does not
// help: it is tried again then.
func (l *leaks) takeOut(ctx context.Context, pod *metav1.PartialObjectMetadata, selecting []string) error {
	name := client.ObjectKeyFromObject(pod)
	since := l.metrics.leaking(name, l.clock.Now())
	err := l.recheck(ctx, pod)
	if apierrors.IsNotFound(err) {
		l.metrics.out(name)
		return nil
	}
	left := selecting
	if err == nil && quarantine.StatusOf(pod.Labels, pod.Annotations).State != quarantine.Quarantined {
		l.forget(name) // Released meanwhile: it may be selected again.
		return nil
	}
	if err == nil {
		left, err = l.selecting(pod)
	}
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: %s", errLeaks, strings.Join(left, ", "))
	}
	if err != nil {
		if l.clock.Now().Sub(since) >= leakPatience {
			for _, by := range left {
				l.events.publish(leaking(pod, by))
			}
		}
		return err
	}
	l.metrics.out(name)
	l.seen.news(pod, quarantine.StatusOf(pod.Labels, pod.Annotations).Record.DetachedFrom) // It is told here.
	for _, by := range selecting {
		l.events.publish(leaked(pod, by))
	}
	log.FromContext(ctx).Info(logLeaked, "selectedBy", selecting, "uid", pod.UID)
	return nil
}

// leaked tells of a pod that was taken out again; once, by the version that it has
// since.
func leaked(pod *metav1.PartialObjectMetadata, by string) event {
	return event{regarding: podReference(pod), reason: ReasonLeaked, note: noteLeaked(pod, by), once: by + pod.ResourceVersion}
}

// leaking tells of a pod that could not be taken out.
func leaking(pod *metav1.PartialObjectMetadata, by string) event {
	return event{regarding: podReference(pod), reason: ReasonLeaked, warning: true, note: noteLeaking(pod, by), once: by}
}

// selecting names what selects the pod. A PodDisruptionBudget does no harm.
func (l *leaks) selecting(pod *metav1.PartialObjectMetadata) ([]string, error) {
	known, err := l.selectors.Namespace(pod.Namespace)
	if err != nil {
		return nil, fmt.Errorf("looking for what selects the pod: %w", err)
	}
	var names []string
	for _, s := range known.Matching(pod.Labels) {
		if s.Kind != quarantine.KindPodDisruptionBudget {
			names = append(names, s.String())
		}
	}
	return names, nil
}

// recheck brings the pod before the webhook. The pod is then what came back.
func (l *leaks) recheck(ctx context.Context, pod *metav1.PartialObjectMetadata) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         pod.UID, // Not one of the same name.
		"annotations": map[string]string{quarantine.RecheckKey: l.clock.Now().UTC().Format(time.RFC3339Nano)},
	}})
	if err != nil {
		return err
	}
	if err := l.writer.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("having the webhook look at the pod again: %w", err)
	}
	return nil
}
