package pods

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// State is the state of a quarantined pod, in one word.
type State string

// The states. The first that applies counts.
const (
	// StateTerminating: the pod is being deleted.
	StateTerminating State = "Terminating"
	// StateDamaged: the record can't be read, so isolate never deletes the pod.
	StateDamaged State = "Damaged"
	// StateImplausible: the pod expired before its expiry was stored, so isolate does not
	// delete it; see [quarantine.VerdictOf].
	StateImplausible State = "Implausible"
	// StateLeaking: a Service selects the pod, or a controller owns it.
	StateLeaking State = "Leaking"
	// StateExpired: the pod has expired. If it is held, it is deleted when the hold is removed.
	StateExpired State = "Expired"
	// StateUnowned: no controller owned the pod, so nothing replaces it.
	StateUnowned State = "Unowned"
	// StateMissing: the former controller is short of available pods.
	StateMissing State = "Missing"
	// StateReplaced: the former controller has all the pods that it wants, or is gone.
	StateReplaced State = "Replaced"
	// StateUnknown: the caller may not read what the state depends on.
	StateUnknown State = "Unknown"
)

// View is a quarantined pod with its state in the cluster.
type View struct {
	Pod    *corev1.Pod
	Status quarantine.Status
	State  State

	// Former is the controller that the pod was detached from, nil if it had none.
	Former *metav1.OwnerReference

	// Controller is Former as it is now, nil if it is gone or can't be read.
	Controller *quarantine.SelectingObject

	// Unread says why Controller can't be read.
	Unread error
}

// Left is how long isolate still keeps the pod; 0 if it has expired.
func (v *View) Left(now time.Time) time.Duration { return max(v.Status.ExpiresAt.Sub(now), 0) }

// Views returns the views of many pods. It reads each Service and controller once.
type Views struct {
	cluster     *Cluster
	services    map[string]answer[[]*quarantine.SelectingObject]
	controllers map[types.UID]answer[*quarantine.SelectingObject]
}

type answer[T any] struct {
	value T
	err   error
}

// Views returns empty Views. Use new ones to read the cluster again.
func (c *Cluster) Views() *Views {
	return &Views{
		cluster:     c,
		services:    map[string]answer[[]*quarantine.SelectingObject]{},
		controllers: map[types.UID]answer[*quarantine.SelectingObject]{},
	}
}

// Of returns the view of one quarantined pod.
func (v *Views) Of(ctx context.Context, pod *corev1.Pod) *View {
	verdict, status := quarantine.VerdictOf(&pod.ObjectMeta, v.cluster.Clock.Now())
	view := &View{Pod: pod, Status: status}
	view.Former = FormerController(&view.Status.Record)
	if view.Former != nil {
		view.Controller, view.Unread = v.controller(ctx, pod.Namespace, view.Former)
	}
	leaking, errServices := v.leaking(ctx, pod)
	switch {
	case verdict == quarantine.VerdictTerminating:
		view.State = StateTerminating
	case verdict == quarantine.VerdictDamaged:
		view.State = StateDamaged
	case verdict == quarantine.VerdictImplausible:
		view.State = StateImplausible
	case leaking:
		view.State = StateLeaking
	case errServices != nil:
		view.State = StateUnknown
	case !v.cluster.Clock.Now().Before(status.ExpiresAt): // A held pod, too.
		view.State = StateExpired
	case view.Former == nil:
		view.State = StateUnowned
	case view.Unread != nil:
		view.State = StateUnknown
	case view.Controller != nil && view.Controller.Available < view.Controller.Desired:
		view.State = StateMissing
	default:
		view.State = StateReplaced
	}
	return view
}

func (v *Views) leaking(ctx context.Context, pod *corev1.Pod) (bool, error) {
	if metav1.GetControllerOfNoCopy(pod) != nil {
		return true, nil
	}
	known, ok := v.services[pod.Namespace]
	if !ok {
		known.value, known.err = v.cluster.services(ctx, pod.Namespace)
		v.services[pod.Namespace] = known
	}
	return len(matching(known.value, pod.Labels)) > 0, known.err
}

func (v *Views) controller(ctx context.Context, namespace string, ref *metav1.OwnerReference) (*quarantine.SelectingObject, error) {
	known, ok := v.controllers[ref.UID]
	if !ok {
		known.value, known.err = v.cluster.Controller(ctx, namespace, ref)
		v.controllers[ref.UID] = known
	}
	return known.value, known.err
}
