package quarantine

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// obstacles are what keeps another such pod from starting while this one runs.
func (p *Pod) obstacles() []string {
	var found []string
	for _, key := range p.keptApart() {
		found = append(found, "its anti-affinity keeps others out of its "+key)
	}
	for _, volume := range p.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			found = append(found, "it keeps PersistentVolumeClaim/"+volume.PersistentVolumeClaim.ClaimName)
		}
	}
	if p.Spec.occupiesHost() {
		found = append(found, "it keeps its node's port")
	}
	return found
}

// keptApart are the topology keys by which a required anti-affinity of the pod is
// against pods labelled as it was. It counts for pods that come later too: see
// the scheduler's interpodaffinity plugin.
func (p *Pod) keptApart() []string {
	if p.Spec.Affinity == nil || p.Spec.Affinity.PodAntiAffinity == nil {
		return nil
	}
	var keys []string
	for _, term := range p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		if err == nil && selector.Matches(labels.Set(p.Labels)) && !slices.Contains(keys, term.TopologyKey) {
			keys = append(keys, term.TopologyKey)
		}
	}
	return keys
}

// probed reports whether the kubelet restarts a container that doesn't answer.
func (s *Spec) probed() bool {
	return slices.ContainsFunc(s.Containers, func(c Container) bool { return c.LivenessProbe != nil })
}

func (s *PodState) finished() bool {
	return s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
}

// isServed reports whether a Service selected the pod.
func isServed(req Request) bool {
	return slices.ContainsFunc(req.Selectors.Matching(req.Old.Labels), func(s *SelectingObject) bool { return s.Kind == KindService })
}
