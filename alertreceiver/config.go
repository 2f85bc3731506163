package alertreceiver

import (
	"k8s.io/apimachinery/pkg/util/sets"
)

// Config says which alerts quarantine which pods.
type Config struct {
	// Namespaces are the namespaces in which alerts quarantine pods, and Alerts are the
	// names of the alerts that do. Both are empty by default: every alert is refused.
	Namespaces, Alerts sets.Set[string]

	// NamespaceLabel, PodLabel and UIDLabel are the labels of an alert that name the pod. An
	// alert without the last one names the pod that has the name now.
	NamespaceLabel, PodLabel, UIDLabel string

	// TTLAnnotation and ReasonAnnotation are the annotations of an alert with the ttl and the
	// reason of the quarantine. Both annotations are optional.
	TTLAnnotation, ReasonAnnotation string
}

// DefaultConfig returns the configuration of a receiver that is given no flags.
func DefaultConfig() Config {
	return Config{
		NamespaceLabel: "namespace", PodLabel: "pod", UIDLabel: "uid",
		TTLAnnotation: "quarantine_ttl", ReasonAnnotation: "summary",
	}
}
