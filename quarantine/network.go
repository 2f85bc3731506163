package quarantine

import "slices"

// policies are the NetworkPolicies of a pod that is quarantined.
type policies struct {
	// lost selected the pod and no longer do, kept select it now.
	lost, kept []*SelectingObject
}

func lostPolicies(req Request, stored map[string]string) policies {
	now := req.Selectors.NetworkPolicies(stored)
	lost := slices.DeleteFunc(slices.Clone(req.Selectors.NetworkPolicies(req.Old.Labels)), func(s *SelectingObject) bool {
		return slices.Contains(now, s)
	})
	return policies{lost, now}
}
