package quarantine

import "k8s.io/apimachinery/pkg/types"

// Count counts the quarantined pods of one namespace, and those admitted a moment ago,
// without the pod of the request.
type Count interface {
	// Controlled returns how many pods count for any of these controllers.
	Controlled(by ...types.UID) PodCount

	// All returns how many pods count for the namespace.
	All() PodCount
}

// PodCount counts pods.
type PodCount struct {
	// Quarantined pods are stored as quarantined. InFlight pods were admitted a moment ago,
	// and may not be stored yet, or ever.
	Quarantined, InFlight int
}

// total is what counts against a budget.
func (c PodCount) total() int { return c.Quarantined + c.InFlight }

// budgetUse says how much of a budget is used: that of a controller, or that of the
// namespace if owner is nil.
type budgetUse struct {
	owner *Owner
	count PodCount
	limit int
}

// exceeded reports whether the budget leaves no room for another pod.
func (u budgetUse) exceeded() bool { return u.limit > 0 && u.count.total() >= u.limit }

// last reports whether one more pod uses the budget up.
func (u budgetUse) last() bool { return u.limit > 0 && u.count.total()+1 >= u.limit }

// controllerBudget returns the use of the budget of the pod's controller. A record
// that an older release wrote names the pod's own controller, so both are counted.
func (c *Config) controllerBudget(req Request, controller *Owner) budgetUse {
	if controller == nil || c.ControllerBudget == 0 {
		return budgetUse{}
	}
	owner := budgetOwner(req, controller)
	return budgetUse{owner, req.Quarantined.Controlled(owner.UID, controller.UID), c.ControllerBudget}
}

func (c *Config) namespaceBudget(req Request) budgetUse {
	return budgetUse{nil, req.Quarantined.All(), c.NamespaceBudget}
}

// budgetOwner returns the controller for whose budget the pod counts: the controller of
// its controller, if there is one. A ReplicaSet's pods count for its Deployment, or each
// rollout would start with an unused budget.
func budgetOwner(req Request, controller *Owner) *Owner {
	if controller == nil {
		return nil
	}
	if known := lookup(req.Selectors, controller); known != nil && known.Controller != nil {
		return known.Controller
	}
	return controller
}

// BudgetOwner names, in a record, the controller for whose budget a pod counts.
type BudgetOwner struct {
	// Kind is a kind and its group: Deployment.apps.
	Kind string    `json:"kind"`
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
}

func recordedBudgetOwner(owner *Owner) *BudgetOwner {
	if owner == nil {
		return nil
	}
	return &BudgetOwner{Kind: owner.Kind.String(), Name: owner.Name, UID: owner.UID}
}

// CountsFor returns the UID of the controller for whose budget a pod with this record
// counts, or "" if it had no controller.
func (r *Record) CountsFor() types.UID {
	if r.BudgetOwner != nil {
		return r.BudgetOwner.UID
	}
	if owner := controllerRef(r.OwnerReferences); owner != nil {
		return owner.UID
	}
	return ""
}
