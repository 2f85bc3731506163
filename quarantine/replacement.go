package quarantine

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// replacement predicts what the controller does about a quarantined pod.
type replacement struct {
	controller *Owner
	forecast   replacementForecast
}

type replacementForecast int

const (
	noController     replacementForecast = iota
	unknownToIsolate                     // isolate has not seen the controller
	podFinished                          // a controller may not replace a finished pod
	controllerAtZero                     // the controller is scaled to zero
	nameTaken                            // the replacement needs the pod's name
	startsReplacement
)

func (c *Config) replacementFor(req Request, owner *Owner) replacement {
	if owner == nil {
		return replacement{nil, noController}
	}
	known := lookup(req.Selectors, owner)
	switch {
	case req.Old.Status.finished():
		return replacement{owner, podFinished}
	case slices.Contains(c.ReplacingKinds, owner.Kind):
		return replacement{owner, startsReplacement}
	case known == nil || !canAdopt(owner.Kind) || known.ManagedBy != "":
		return replacement{owner, unknownToIsolate}
	case known.Desired == 0:
		return replacement{owner, controllerAtZero}
	case owner.Kind == KindStatefulSet:
		return replacement{owner, nameTaken}
	}
	return replacement{owner, startsReplacement}
}

// replacementBlockers can keep the replacement from starting while this pod exists.
type replacementBlockers struct {
	// topologies are the topology keys by which the pod's anti-affinity rejects similar
	// pods.
	topologies []string

	// claims are the pod's PersistentVolumeClaims.
	claims []string

	hostPort bool
}

func (p *Pod) replacementBlockers() replacementBlockers {
	if p.Status.finished() { // The scheduler no longer counts it.
		return replacementBlockers{}
	}
	blockers := replacementBlockers{topologies: p.antiAffinityTopologies(), hostPort: p.Spec.usesHostPort()}
	for _, volume := range p.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			blockers.claims = append(blockers.claims, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return blockers
}

// antiAffinityTopologies returns the topology keys of the pod's required anti-affinity
// against pods with its own labels. The anti-affinity of an existing pod applies to
// later pods too: see the scheduler's interpodaffinity plugin.
func (p *Pod) antiAffinityTopologies() []string {
	var keys []string
	for _, term := range p.Spec.Affinity.PodAntiAffinity.Required {
		selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		if err == nil && selector.Matches(labels.Set(p.Labels)) && !slices.Contains(keys, term.TopologyKey) {
			keys = append(keys, term.TopologyKey)
		}
	}
	return keys
}

// usesHostPort reports whether a second such pod can't run on the same node.
func (s *Spec) usesHostPort() bool {
	return s.HostNetwork || s.anyRuns(func(c Container) bool {
		for _, port := range c.Ports {
			if port.HostPort != 0 {
				return true
			}
		}
		return false
	})
}

// hasLivenessProbe reports whether the kubelet may restart a container of the pod.
func (s *Spec) hasLivenessProbe() bool {
	return s.anyRuns(func(c Container) bool { return c.LivenessProbe != nil })
}

func (s *PodState) running() bool { return s.Phase == corev1.PodRunning }

func (s *PodState) finished() bool {
	return s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
}

// isServed reports whether a Service is among the objects that select the stored pod.
func isServed(selecting []*SelectingObject) bool {
	return slices.ContainsFunc(selecting, func(s *SelectingObject) bool { return s.Kind == KindService })
}
