package quarantine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// fate is what becomes of a pod once it is released.
type fate struct {
	controller *Owner
	outcome    outcome
}

type outcome int

const (
	staysAlone        outcome = iota // no controller, or it is gone
	notSelected                      // the controller no longer selects the pod
	ended                            // the controller is a Job that has ended
	takesNoFinished                  // the controller takes no pod back that has finished
	maybeDeleted                     // the controller deletes one of its pods
	unreadyGoFirst                   // the same, and others go before this one
	surelyDeleted                    // the controller deletes one, and this is the first to go
	notWanted                        // the controller wants no pods
	replacementGoes                  // the controller deletes the replacement
	takenBack                        // the controller has room for it
	controllerUnknown                // nobody knows
)

func (f fate) deletes() bool {
	return slices.Contains([]outcome{maybeDeleted, unreadyGoFirst, surelyDeleted, notWanted}, f.outcome)
}

// fateOf is what becomes of the pod with the labels that the release gives it.
func fateOf(req Request, status Status, record Record, labels map[string]string) fate {
	owner := (&Metadata{OwnerReferences: record.OwnerReferences}).controller()
	if owner != nil && !adopts(owner) {
		return fate{owner, controllerUnknown}
	}
	if adopter := adopterOf(req, owner, labels); adopter != nil {
		return fate{&Owner{Kind: adopter.Kind, Name: adopter.Name, UID: adopter.UID}, fateAt(req.Old, status, adopter)}
	}
	if owner == nil {
		return fate{outcome: staysAlone}
	}
	if known := req.Selectors.Lookup(owner.Kind, owner.Name); known != nil && known.UID == owner.UID {
		return fate{owner, notSelected}
	}
	return fate{owner, staysAlone}
}

func adopts(owner *Owner) bool {
	return slices.Contains(replacing, owner.Kind) || owner.Kind == KindStatefulSet
}

// adopterOf is who takes the pod back: its former controller, if that selects it,
// or else another that does, such as the ReplicaSet of a Deployment that was made
// again. A StatefulSet takes no pod but its own.
func adopterOf(req Request, former *Owner, labels map[string]string) *SelectingObject {
	var other *SelectingObject
	for _, s := range req.Selectors.Matching(labels) {
		switch {
		case former != nil && s.UID == former.UID:
			return s
		case other == nil && slices.Contains(replacing, s.Kind):
			other = s
		}
	}
	return other
}

// fateAt is what the controller does that takes the pod back.
func fateAt(pod *Pod, status Status, by *SelectingObject) outcome {
	switch by.Kind {
	case KindStatefulSet:
		return inStatefulSet(pod, by)
	case KindDaemonSet:
		if pod.Status.finished() { // See the daemon controller: it deletes those first.
			return surelyDeleted
		}
		return replacementGoes
	case KindJob:
		return inJob(pod, status, by)
	}
	return inReplicaSet(pod, by)
}

// inReplicaSet follows getPodsToDelete in pkg/controller/replicaset and
// ActivePodsWithRanks in pkg/controller. A ReplicationController is the same one.
func inReplicaSet(pod *Pod, by *SelectingObject) outcome {
	switch {
	case pod.Status.finished():
		return takesNoFinished
	case by.Desired == 0:
		return notWanted
	case by.Current < by.Desired:
		return takenBack
	case !pod.Status.ready() && by.Ready >= by.Desired:
		return surelyDeleted
	case pod.Status.ready() && by.Ready < by.Current:
		return unreadyGoFirst
	}
	return maybeDeleted
}

// inJob follows manageJob in pkg/controller/job and ActivePods in pkg/controller:
// of pods that are Ready, the one that became so last goes.
func inJob(pod *Pod, status Status, by *SelectingObject) outcome {
	since, ready := pod.Status.readySince()
	switch {
	case by.Ended:
		return ended
	case pod.Status.finished():
		return takenBack
	case by.Desired == 0:
		return notWanted
	case by.Current < by.Desired:
		return takenBack
	case !ready && by.Ready >= by.Desired:
		return surelyDeleted
	case ready && !since.After(status.QuarantinedAt):
		return replacementGoes
	}
	return maybeDeleted
}

func inStatefulSet(pod *Pod, by *SelectingObject) outcome {
	if by.Desired == 0 {
		return notWanted
	}
	ordinal, err := strconv.Atoi(pod.Name[strings.LastIndex(pod.Name, "-")+1:])
	if err == nil && ordinal >= int(by.Desired) { // Its ordinals may begin elsewhere.
		return maybeDeleted
	}
	return takenBack
}

func (s *PodState) ready() bool {
	_, ready := s.readySince()
	return ready
}

func (s *PodState) readySince() (time.Time, bool) {
	for _, c := range s.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// labelsAfter are the pod's labels once the edit is applied.
func labelsAfter(pod *Metadata, changes *edit) map[string]string {
	labels := maps.Clone(pod.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for key, value := range changes.labels {
		if value == nil {
			delete(labels, key)
		} else {
			labels[key] = *value
		}
	}
	return labels
}
