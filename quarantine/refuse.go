package quarantine

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// refusal is why a quarantine is refused, nil if nothing speaks against it. What
// force gets past is tried last.
func (r *Config) refusal(req Request) *Denial {
	pod := req.Old
	if _, ok := pod.Annotations[corev1.MirrorPodAnnotationKey]; ok {
		return refuse(ReasonMirrorPod, messageMirrorPod(pod))
	}
	if forced(req) {
		return nil
	}
	owner := pod.controller()
	switch {
	case owner == nil:
	case owner.Kind == KindStatefulSet:
		return refuse(ReasonStatefulSet, messageStatefulSet(pod, owner))
	case owner.Kind == KindDaemonSet && pod.Spec.occupiesHost():
		return refuse(ReasonHostPort, messageHostPort(pod, owner))
	case !slices.Contains(replacing, owner.Kind) && !slices.Contains(r.ReplacingKinds, owner.Kind):
		return refuse(ReasonUnknownController, messageUnknownController(pod, owner))
	}
	return r.overBudget(req)
}

// occupiesHost reports whether no other such pod can start beside this one.
func (s *Spec) occupiesHost() bool {
	return s.HostNetwork || slices.ContainsFunc(s.Containers, func(c Container) bool {
		for _, port := range c.Ports {
			if port.HostPort != 0 {
				return true
			}
		}
		return false
	})
}

func refuse(reason Reason, message string) *Denial {
	return &Denial{Reason: reason, Message: message, Field: annotationPath(TriggerKey).String()}
}
