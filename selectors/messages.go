package selectors

import "errors"

// AggregationLabel is the label, with the value "true", of ClusterRoles whose rules
// both programs get: those for custom resources that select pods.
const AggregationLabel = "rbac.isolate.example.io/aggregate-to-selecting"

var errNotReadYet = errors.New("not read yet")

const (
	logServed     = "Watching a custom resource that selects pods"
	logNotServed  = "The API server does not serve this resource yet; waiting for it"
	logUnreadable = "Cannot read a resource that selects pods; no pod can be quarantined until it can"

	adviceForbidden = "allow isolate to list and watch it by a ClusterRole with the label " + AggregationLabel + `: "true"`
	adviceGone      = "install its CustomResourceDefinition again, or remove it from --selecting-resource and restart isolate"
)
