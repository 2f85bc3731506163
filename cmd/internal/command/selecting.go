package command

import (
	"fmt"

	"github.com/spf13/pflag"

	"isolate.example.io/selectors"
)

const selectingFlag = "selecting-resource"

// SelectingResources is the flag that names custom resources which select pods. Both
// programs must be given the same.
type SelectingResources struct {
	// Resources are the parsed values, set by Validate.
	Resources []selectors.Resource

	values []string
}

// AddFlag adds the flag.
func (s *SelectingResources) AddFlag(flags *pflag.FlagSet) {
	flags.StringArrayVar(&s.values, selectingFlag, nil,
		"A custom resource that selects or controls pods, with the path of the selector in it: a label selector, or a map of labels. For example "+
			"inferencepools.inference.networking.k8s.io/v1=.spec.selector.matchLabels or clonesets.apps.kruise.io/v1alpha1=.spec.selector. "+
			"May be given several times, and must be the same for the webhook and the sweeper. "+
			"isolate reads it by a ClusterRole with the label "+selectors.AggregationLabel+"=true.")
}

// Validate parses the values, and returns every problem.
func (s *SelectingResources) Validate() []error {
	var errs []error
	s.Resources, errs = selectors.ParseResources(s.values)
	for i, err := range errs {
		errs[i] = fmt.Errorf("--%s %w", selectingFlag, err)
	}
	return errs
}
