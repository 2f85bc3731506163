package quarantine

// advisories are reported with a quarantine but do not block it.
type advisories struct {
	// slices are the EndpointSlices of other controllers that name the pod.
	slices []*EndpointSlice

	// onPurpose are the Services that begin to select the pod because it is quarantined.
	onPurpose []*SelectingObject

	// lastAvailable is the controller that has no other available pod, or nil.
	lastAvailable *Owner

	// served says that a Service selected the pod.
	served bool

	// redoneBy is the Job that redoes the pod's work, or nil.
	redoneBy *Owner

	blockers        replacementBlockers
	livenessProbe   bool
	openConnections bool

	// exhausted are the PodDisruptionBudgets of the pod that allow no disruption.
	exhausted []*SelectingObject

	// dependents names what the garbage collector deletes with the pod, or is empty.
	dependents string

	// overridden are the pod's hints that asked autoscalers to evict it.
	overridden []string

	// budgets are the PodDisruptionBudgets that still count the pod.
	budgets []*SelectingObject

	networkPolicies networkPolicies

	// used are the budgets that this quarantine uses up.
	used []budgetUse

	// invalidKeys are the namespace's settings that were ignored as invalid.
	invalidKeys []string
}

// advisoriesOf returns the advisories of a quarantine that stores these labels. Before it,
// the selecting objects select the pod, and after it, the remaining ones.
func (c *Config) advisoriesOf(req Request, owner *Owner, selecting []*SelectingObject, stored map[string]string, remaining []*SelectingObject) advisories {
	pod, served := req.Old, isServed(selecting)
	found := advisories{
		slices:          req.Selectors.EndpointSlices(pod.Name, pod.UID),
		onPurpose:       filter(remaining, (*SelectingObject).SelectsQuarantined),
		served:          served,
		livenessProbe:   pod.Spec.hasLivenessProbe() && !pod.Status.finished(),
		openConnections: served && pod.Status.running(),
		exhausted:       exhausted(pod, selecting),
		dependents:      pod.dependents(),
		overridden:      pod.overriddenHints(),
		networkPolicies: compareNetworkPolicies(req, stored),
		budgets:         filter(remaining, func(s *SelectingObject) bool { return s.Kind == KindPodDisruptionBudget }),
		invalidKeys:     c.invalidKeys,
	}
	if owner != nil {
		found.blockers = pod.replacementBlockers()
		known := lookup(req.Selectors, owner)
		if known != nil && known.Desired > 0 && known.Available <= 1 && pod.Status.ready() && (served || owner.Kind != KindJob) {
			found.lastAvailable = owner
		}
		if owner.Kind == KindJob && known != nil && known.ManagedBy == "" && !pod.Status.finished() {
			found.redoneBy = owner
		}
	}
	for _, use := range []budgetUse{c.controllerBudget(req, owner), c.namespaceBudget(req)} {
		if use.last() {
			found.used = append(found.used, use)
		}
	}
	return found
}

// exhausted returns the PodDisruptionBudgets that would not allow the eviction of a healthy
// pod. A quarantine detaches the pod from them nevertheless.
func exhausted(pod *Pod, selecting []*SelectingObject) []*SelectingObject {
	if !pod.Status.ready() {
		return nil
	}
	return filter(selecting, func(s *SelectingObject) bool { return s.NoDisruption })
}

// dependentsByLabel are labels of pods that own other objects, and the kinds of those.
var dependentsByLabel = []struct{ key, value, dependents string }{
	{"spark-role", "driver", "executors"},
	{"leaderworkerset.sigs.k8s.io/worker-index", "0", "workers"},
}

// dependents names the objects that the pod probably owns, or is empty. Only the owned
// objects name their owner, so nothing but a list of all objects would be complete.
func (p *Pod) dependents() string {
	for _, d := range dependentsByLabel {
		if p.Labels[d.key] == d.value {
			return d.dependents
		}
	}
	return ""
}

// overriddenHints returns the keys of hints that ask autoscalers to evict the pod.
func (p *Pod) overriddenHints() []string {
	var keys []string
	for _, key := range []string{AutoscalerHint, KarpenterHint} {
		if value, ok := p.Annotations[key]; ok && value != hintValues[key] {
			keys = append(keys, key)
		}
	}
	return keys
}
