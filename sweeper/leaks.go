package sweeper

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"isolate.example.io/quarantine"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Selectors answers for a namespace who selects a pod. It fails as long as the
// answer could be incomplete.
type Selectors interface {
	Namespace(name string) (quarantine.Selectors, error)
}

// unknownRetry is when a pod is looked at again of which nobody could say yet what
// selects it.
const unknownRetry = time.Second

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
	metrics   *leakMetrics
}

// Reconcile implements [reconcile.Reconciler].
func (l *leaks) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := newPod()
	if err := l.reader.Get(ctx, request.NamespacedName, pod); err != nil {
		l.metrics.out(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if pod.DeletionTimestamp != nil || quarantine.StatusOf(pod.Labels, pod.Annotations).State != quarantine.Quarantined {
		l.metrics.out(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	selecting, err := l.selecting(pod)
	if err != nil { // What could not be read is logged where it is read.
		log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
		return reconcile.Result{RequeueAfter: unknownRetry}, nil
	}
	if len(selecting) == 0 {
		l.metrics.out(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	l.metrics.found()
	if err := l.recheck(ctx, pod); err != nil {
		l.metrics.leaking(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	left, err := l.selecting(pod)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(left) > 0 {
		l.metrics.leaking(request.NamespacedName)
		return reconcile.Result{}, fmt.Errorf("%w: %s", errLeaks, strings.Join(left, ", "))
	}
	l.metrics.out(request.NamespacedName)
	log.FromContext(ctx).Info(logLeaked, "selectedBy", selecting, "uid", pod.UID)
	return reconcile.Result{}, nil
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
