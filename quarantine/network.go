package quarantine

import "slices"

// networkPolicies compares the NetworkPolicies of a pod before and after a quarantine.
type networkPolicies struct {
	// lost selected the pod before, but not now; current select it now; gained are those of
	// current that did not select it before.
	lost, current, gained []*SelectingObject
}

func compareNetworkPolicies(req Request, stored map[string]string) networkPolicies {
	before, current := req.Selectors.NetworkPolicies(req.Old.Labels), req.Selectors.NetworkPolicies(stored)
	return networkPolicies{lost: difference(before, current), current: current, gained: difference(current, before)}
}

func difference(objects, without []*SelectingObject) []*SelectingObject {
	return filter(objects, func(s *SelectingObject) bool { return !slices.Contains(without, s) })
}
