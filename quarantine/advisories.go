package quarantine

// advisories are reported with a quarantine but do not block it.
type advisories struct {
	// lastAvailable is the controller that has no other available pod, or nil.
	lastAvailable *Owner

	// redoneBy is the Job that redoes the pod's work, or nil.
	redoneBy *Owner

	blockers        replacementBlockers
	livenessProbe   bool
	openConnections bool

	// budgets are the PodDisruptionBudgets that still count the pod.
	budgets []*SelectingObject

	networkPolicies networkPolicies

	// used are the budgets that this quarantine uses up.
	used []budgetUse

	// invalidKeys are the namespace's settings that were ignored as invalid.
	invalidKeys []string
}

// advisoriesOf returns the advisories of a quarantine that stores these labels.
func (c *Config) advisoriesOf(req Request, stored map[string]string) advisories {
	pod, owner := req.Old, req.Old.controllerRef()
	found := advisories{
		livenessProbe:   pod.Spec.hasLivenessProbe(),
		openConnections: isServed(req),
		networkPolicies: compareNetworkPolicies(req, stored),
		invalidKeys:     c.invalidKeys,
	}
	for _, s := range req.Selectors.Matching(stored) {
		if s.Kind == KindPodDisruptionBudget {
			found.budgets = append(found.budgets, s)
		}
	}
	if owner != nil {
		found.blockers = pod.replacementBlockers()
		known := req.Selectors.Lookup(owner.Kind, owner.Name)
		if known != nil && known.Desired > 0 && known.Available <= 1 && pod.Status.ready() {
			found.lastAvailable = owner
		}
		if owner.Kind == KindJob {
			found.redoneBy = owner
		}
	}
	for _, use := range []budgetUse{c.controllerBudget(req), c.namespaceBudget(req)} {
		if use.last() {
			found.used = append(found.used, use)
		}
	}
	return found
}
