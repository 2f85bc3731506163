package quarantine

import "slices"

// networkPolicies compares the NetworkPolicies of a pod before and after a quarantine.
type networkPolicies struct {
	// lost selected the pod and no longer do; current select it now.
	lost, current []*SelectingObject
}

func compareNetworkPolicies(req Request, stored map[string]string) networkPolicies {
	current := req.Selectors.NetworkPolicies(stored)
	lost := slices.DeleteFunc(slices.Clone(req.Selectors.NetworkPolicies(req.Old.Labels)), func(s *SelectingObject) bool {
		return slices.Contains(current, s)
	})
	return networkPolicies{lost, current}
}
