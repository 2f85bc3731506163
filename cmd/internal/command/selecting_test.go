package command

import (
	"errors"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/selectors"
)

func parseSelecting(t *testing.T, args ...string) (*SelectingResources, error) {
	t.Helper()
	s := &SelectingResources{}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.AddFlag(flags)
	require.NoError(t, flags.Parse(args))
	return s, errors.Join(s.Validate()...)
}

func TestASelectingResourceHasAGroupAVersionAndAPath(t *testing.T) {
	s, err := parseSelecting(t,
		"--selecting-resource=inferencepools.inference.networking.k8s.io/v1=.spec.selector.matchLabels",
		"--selecting-resource=clonesets.apps.kruise.io/v1alpha1=.spec.selector")
	require.NoError(t, err)
	require.Equal(t, []selectors.Resource{
		{GroupVersionResource: schema.GroupVersionResource{Group: "inference.networking.k8s.io", Version: "v1", Resource: "inferencepools"},
			Path: []string{"spec", "selector", "matchLabels"}},
		{GroupVersionResource: schema.GroupVersionResource{Group: "apps.kruise.io", Version: "v1alpha1", Resource: "clonesets"},
			Path: []string{"spec", "selector"}},
	}, s.Resources)
}

func TestAnInvalidSelectingResourceIsReportedWithTheFlag(t *testing.T) {
	const format = "must be a custom resource with its group, its version and the path of its selector, " +
		"such as clonesets.apps.kruise.io/v1alpha1=.spec.selector"
	for value, problem := range map[string]string{
		"":                                                       format,
		"clonesets":                                              format,
		"clonesets.apps.kruise.io":                               format,
		"clonesets.apps.kruise.io/v1alpha1":                      format,
		"clonesets.apps.kruise.io/v1alpha1=":                     format,
		"clonesets.apps.kruise.io/v1alpha1=.":                    format,
		"clonesets.apps.kruise.io/v1alpha1=spec":                 format,
		"clonesets.apps.kruise.io=.spec.selector":                format,
		"CloneSet.apps.kruise.io/v1alpha1=.spec":                 format,
		"deployments.apps/v1=.spec.selector":                     format,
		"services/v1=.spec.selector":                             format,
		"clonesets.apps.kruise.io/v1alpha1={.spec.selector}":     format,
		"clonesets.apps.kruise.io/v1alpha1=.spec.selectors[0]":   format,
		"clonesets.apps.kruise.io/v1alpha1=.spec..selector":      format,
		"clonesets.apps.kruise.io/v1alpha1=.spec.selector.":      format,
		"networkpolicies.networking.k8s.io/v1=.spec.podSelector": "names a resource that isolate always watches",
		"endpointslices.discovery.k8s.io/v1=.metadata.labels":    "names a resource that isolate always watches",
	} {
		t.Run(value, func(t *testing.T) {
			_, err := parseSelecting(t, "--selecting-resource="+value)
			require.EqualError(t, err, `--selecting-resource is "`+value+`", and `+problem)
		})
	}
}

func TestASelectingResourceMayNotBeRepeated(t *testing.T) {
	_, err := parseSelecting(t,
		"--selecting-resource=clonesets.apps.kruise.io/v1alpha1=.spec.selector",
		"--selecting-resource=clonesets.apps.kruise.io/v1beta1=.spec.selector")
	require.EqualError(t, err,
		`--selecting-resource is "clonesets.apps.kruise.io/v1beta1=.spec.selector", and names a resource that an earlier value names too: give it once`)
}
