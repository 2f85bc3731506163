package selectors

import "errors"

// AggregationLabel with the value "true" is the label of ClusterRoles for custom resources
// that select pods. Both programs get their rules by aggregation.
const AggregationLabel = "rbac.isolate.example.io/aggregate-to-selecting"

var errNotReadYet = errors.New("not read yet")

const (
	logServed     = "Watching a custom resource that selects pods"
	logNotServed  = "The API server does not serve this resource yet; waiting for it"
	logUnreadable = "Cannot read a resource that selects pods; no pod can be quarantined until it can"

	adviceForbidden = "allow isolate to list and watch it by a ClusterRole with the label " + AggregationLabel + `: "true"`
	adviceGone      = "install its CustomResourceDefinition again, or remove it from --selecting-resource and restart isolate"
)
