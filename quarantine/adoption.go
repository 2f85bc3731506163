package quarantine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// adoption predicts what the controller does with a released pod.
type adoption struct {
	// controller adopts the pod, or else controlled it before the quarantine; nil if the
	// pod had no controller.
	controller *Owner
	effect     adoptionEffect
}

type adoptionEffect int

const (
	noAdoption          adoptionEffect = iota // the pod had no controller, or it is gone
	notSelected                               // the controller no longer selects the pod
	jobEnded                                  // the controller is a Job that has completed or failed
	finishedNotAdopted                        // the controller does not adopt a finished pod
	mayDeletePod                              // the controller deletes one pod, perhaps this one
	deletesUnreadyFirst                       // the controller deletes one pod, and others go before this one
	deletesPod                                // the controller deletes this pod
	scaledToZero                              // the controller is scaled to zero and deletes this pod
	deletesReplacement                        // the controller adopts the pod and deletes its replacement
	adoptsPod                                 // the controller adopts the pod and has room for it
	controllerUnknown                         // isolate does not know this kind of controller
)

// mayDelete reports whether the controller may delete the released pod. It may if others go
// before: one of them may become Ready before the controller decides. And a controller that
// isolate does not know may do anything.
func (a adoption) mayDelete() bool {
	return slices.Contains([]adoptionEffect{mayDeletePod, deletesUnreadyFirst, deletesPod, scaledToZero, controllerUnknown}, a.effect)
}

// certain reports whether a controller adopts the released pod, as far as isolate knows.
func (a adoption) certain() bool {
	return slices.Contains([]adoptionEffect{mayDeletePod, deletesUnreadyFirst, deletesPod, scaledToZero, deletesReplacement, adoptsPod}, a.effect)
}

// adoptionOf predicts the adoption of the pod with the labels that a release gives it.
func adoptionOf(req Request, status Status, record Record, labels map[string]string) adoption {
	former := controllerRef(record.OwnerReferences)
	if former != nil {
		known := lookup(req.Selectors, former)
		if !canAdopt(former.Kind) || (known != nil && known.ManagedBy != "") {
			return adoption{former, controllerUnknown}
		}
	}
	if adopter := adopterOf(req, former, labels); adopter != nil {
		return adoption{adopter.owner(), effectOf(req.Old, status, adopter)}
	}
	if former != nil && lookup(req.Selectors, former) != nil {
		return adoption{former, notSelected}
	}
	return adoption{former, noAdoption}
}

func canAdopt(kind schema.GroupKind) bool {
	return slices.Contains(replacing, kind) || kind == KindStatefulSet
}

// adopterOf returns the controller that adopts the pod: its former controller, if that
// selects it, or another one that does, such as the ReplicaSet of a recreated
// Deployment. A StatefulSet adopts only its own pods.
func adopterOf(req Request, former *Owner, labels map[string]string) *SelectingObject {
	var other *SelectingObject
	for _, s := range req.Selectors.Matching(labels) {
		switch {
		case former != nil && s.UID == former.UID:
			return s
		case other == nil && slices.Contains(replacing, s.Kind) && s.ManagedBy == "":
			other = s
		}
	}
	return other
}

// effectOf predicts what the adopter does.
func effectOf(pod *Pod, status Status, adopter *SelectingObject) adoptionEffect {
	switch adopter.Kind {
	case KindStatefulSet:
		return statefulSetEffect(pod, adopter)
	case KindDaemonSet:
		if pod.Status.finished() { // The daemon controller deletes finished pods first.
			return deletesPod
		}
		return deletesReplacement
	case KindJob:
		return jobEffect(pod, status, adopter)
	}
	return replicaSetEffect(pod, adopter)
}

// replicaSetEffect follows getPodsToDelete in pkg/controller/replicaset and
// ActivePodsWithRanks in pkg/controller, which ReplicationControllers use as well.
func replicaSetEffect(pod *Pod, adopter *SelectingObject) adoptionEffect {
	switch {
	case pod.Status.finished():
		return finishedNotAdopted
	case adopter.Desired == 0:
		return scaledToZero
	case adopter.Current < adopter.Desired:
		return adoptsPod
	case !pod.Status.ready() && adopter.Ready >= adopter.Desired:
		return deletesPod
	case pod.Status.ready() && adopter.Ready < adopter.Current:
		return deletesUnreadyFirst
	}
	return mayDeletePod
}

// jobEffect follows manageJob in pkg/controller/job and ActivePods in pkg/controller:
// of the pods that are Ready, the Job deletes the one that became Ready last.
func jobEffect(pod *Pod, status Status, adopter *SelectingObject) adoptionEffect {
	since, ready := pod.Status.readySince()
	switch {
	case adopter.Ended:
		return jobEnded
	case pod.Status.finished():
		return adoptsPod
	case adopter.Desired == 0:
		return scaledToZero
	case adopter.Current < adopter.Desired:
		return adoptsPod
	case !ready && adopter.Ready >= adopter.Desired:
		return deletesPod
	case ready && !since.After(status.QuarantinedAt):
		return deletesReplacement
	}
	return mayDeletePod
}

func statefulSetEffect(pod *Pod, adopter *SelectingObject) adoptionEffect {
	if adopter.Desired == 0 {
		return scaledToZero
	}
	ordinal, err := strconv.Atoi(pod.Name[strings.LastIndex(pod.Name, "-")+1:])
	if err == nil && ordinal >= int(adopter.Desired) { // spec.ordinals.start may be above 0.
		return mayDeletePod
	}
	return adoptsPod
}

func (s *PodState) ready() bool {
	_, ready := s.readySince()
	return ready
}

func (s *PodState) readySince() (time.Time, bool) {
	if s.finished() { // An eviction may leave the conditions unchanged.
		return time.Time{}, false
	}
	for _, c := range s.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime, true
		}
	}
	return time.Time{}, false
}
