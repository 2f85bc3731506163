package quarantine

// EndpointSlice is an EndpointSlice that names a pod and that no selector fills, so that a
// change of the pod's labels does not remove it.
type EndpointSlice struct {
	Name string

	// Service is the Service that it belongs to, or empty.
	Service string

	// ManagedBy is the value of the label endpointslice.kubernetes.io/managed-by, or
	// empty.
	ManagedBy string
}

// String names what sends traffic to the pod, as kubectl does.
func (s *EndpointSlice) String() string {
	if s.Service == "" {
		return "EndpointSlice/" + s.Name
	}
	return "EndpointSlice/" + s.Name + " of Service/" + s.Service
}
