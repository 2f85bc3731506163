package sweeper

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
)

// stillMissingRetry is when a controller that was short is looked at again.
const stillMissingRetry = 15 * time.Second

// replacements look, some time after each quarantine, whether the pod's former
// controller is back at strength. That stands in the selector index; more is read
// only where it isn't, to say why. Once it was back, what becomes of it later has
// nothing to do with this pod.
type replacements struct {
	reader    client.Reader
	live      client.Reader
	selectors Selectors
	local     clock.PassiveClock
	events    *publisher
	timeout   time.Duration
	gauge     prometheus.Gauge

	mu      sync.Mutex
	missing map[types.NamespacedName]bool
	done    map[types.NamespacedName]types.UID
}

func newMissingGauge() prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "isolate_missing_replacements",
		Help: "Quarantined pods whose former controller had not come back to strength some minutes later, and hasn't since.",
	})
}

// Reconcile implements [reconcile.Reconciler].
func (r *replacements) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pod := newPod()
	if err := r.reader.Get(ctx, request.NamespacedName, pod); err != nil {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := r.local.Now()
	verdict, status := judge(pod, now)
	owner, owned := ownerReference(pod, status.Record)
	if !owned || verdict == VerdictTerminating {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if r.isDone(request.NamespacedName, pod.UID) {
		return reconcile.Result{}, nil
	}
	if wait := status.QuarantinedAt.Add(r.timeout).Sub(now); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	known, err := r.selectors.Namespace(pod.Namespace)
	if err != nil { // What could not be read is logged where it is read.
		log.FromContext(ctx).V(1).Info(logUnknown, "error", err.Error())
		return reconcile.Result{RequeueAfter: unknownRetry}, nil
	}
	controller := controllerIn(known, owner)
	if controller == nil || controller.Available >= controller.Desired {
		r.finish(request.NamespacedName, pod.UID)
		return reconcile.Result{}, nil
	}
	if r.isNews(request.NamespacedName) {
		r.tell(ctx, pod, owner, controller, now.Sub(status.QuarantinedAt))
	}
	return reconcile.Result{RequeueAfter: stillMissingRetry}, nil
}

// controllerIn is the former controller as it is now, nil if it is gone.
func controllerIn(known quarantine.Selectors, owner corev1.ObjectReference) *quarantine.SelectingObject {
	kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
	if found := known.Lookup(kind, owner.Name); found != nil && found.UID == owner.UID {
		return found
	}
	return nil
}

func (r *replacements) tell(ctx context.Context, pod *metav1.PartialObjectMetadata, owner corev1.ObjectReference,
	controller *quarantine.SelectingObject, after time.Duration,
) {
	note := noteReplacementMissing(pod, controller, after, whyShort(ctx, r.live, pod, owner, controller))
	r.events.publish(event{
		regarding: podReference(pod), reason: ReasonReplacementMissing, warning: true,
		note: note, once: string(owner.UID),
	})
	r.events.publish(event{
		regarding: owner, reason: ReasonReplacementMissing, warning: true,
		note: note, once: pod.Annotations[quarantine.QuarantinedAtKey],
	})
}

func (r *replacements) isDone(name types.NamespacedName, uid types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done[name] == uid
}

// isNews notes that the replacement of a pod is missing.
func (r *replacements) isNews(name types.NamespacedName) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	news := !r.missing[name]
	if r.missing == nil {
		r.missing = map[types.NamespacedName]bool{}
	}
	r.missing[name] = true
	r.gauge.Set(float64(len(r.missing)))
	return news
}

func (r *replacements) finish(name types.NamespacedName, uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = map[types.NamespacedName]types.UID{}
	}
	r.done[name] = uid
	delete(r.missing, name)
	r.gauge.Set(float64(len(r.missing)))
}

// forget is for a pod of which no replacement is missing any more.
func (r *replacements) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.done, name)
	delete(r.missing, name)
	r.gauge.Set(float64(len(r.missing)))
}
