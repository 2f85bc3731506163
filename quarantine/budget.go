package quarantine

import "k8s.io/apimachinery/pkg/types"

// Count counts the pods of one namespace that are quarantined, or have been let
// through just now, but for the pod at hand.
type Count interface {
	// Controlled counts those that count for one of these controllers.
	Controlled(by ...types.UID) int

	// All counts all of the namespace.
	All() int
}

// overBudget is why a quarantine is one too many, nil if it is not. A detector that
// misfires would otherwise take every replacement in turn.
func (r *Config) overBudget(req Request) *Denial {
	if top := topController(req); top != nil && r.ControllerBudget > 0 && r.controlled(req, top) >= r.ControllerBudget {
		return refuse(ReasonControllerBudget, messageBudget(req.Old, top.String(), r.controlled(req, top), r.ControllerBudget))
	}
	if all := req.Quarantined.All(); r.NamespaceBudget > 0 && all >= r.NamespaceBudget {
		return refuse(ReasonNamespaceBudget, messageBudget(req.Old, "namespace "+req.Old.Namespace, all, r.NamespaceBudget))
	}
	return nil
}

// controlled counts for the top controller, and for the pod's own: a record that an
// older release has written names only that.
func (r *Config) controlled(req Request, top *Owner) int {
	return req.Quarantined.Controlled(top.UID, req.Old.controller().UID)
}

// topController is what the pod counts for: its controller's controller where there
// is one. A ReplicaSet's Deployment, or a rollout would begin to count anew.
func topController(req Request) *Owner {
	owner := req.Old.controller()
	if owner == nil {
		return nil
	}
	known := req.Selectors.Lookup(owner.Kind, owner.Name)
	if known == nil || known.UID != owner.UID || known.Controller == nil {
		return owner
	}
	return known.Controller
}

// BudgetOwner names, in a record, what a quarantined pod counts for.
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

// CountsFor is the UID of the controller for whose budget a pod with this record
// counts, empty if there is none.
func (r *Record) CountsFor() types.UID {
	if r.BudgetOwner != nil {
		return r.BudgetOwner.UID
	}
	if owner := (&Metadata{OwnerReferences: r.OwnerReferences}).controller(); owner != nil {
		return owner.UID
	}
	return ""
}
