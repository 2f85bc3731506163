package commands

import (
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/util/completion"

	"isolate.example.io/quarantine"
)

// Selectors of the pods whose names are completed.
const (
	freePods        = "!" + quarantine.QuarantinedLabel
	quarantinedPods = quarantine.QuarantinedLabel
	allPods         = ""
)

// completed are the commands that take a pod, and selectors of the pods that they take.
var completed = map[string]string{
	"plan": freePods, "status": quarantinedPods, "extend": quarantinedPods, "hold": quarantinedPods,
	"unhold": quarantinedPods, "release": quarantinedPods, "debug": allPods, "collect": allPods,
}

// addCompletion completes names of pods, namespaces, contexts and a flag's values.
func addCompletion(s *session, root *cobra.Command) error {
	root.ValidArgsFunction = s.completePods(freePods)
	for _, command := range root.Commands() {
		if selector, ok := completed[command.Name()]; ok {
			command.ValidArgsFunction = s.completePods(selector)
		}
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"namespace": completion.ResourceNameCompletionFunc(s.factory, "namespace"),
		"context":   completion.ContextCompletionFunc,
		"wait":      cobra.FixedCompletions([]string{waitNone, waitOut, waitReplaced}, cobra.ShellCompDirectiveNoFileComp),
	} {
		if err := root.RegisterFlagCompletionFunc(flag, complete); err != nil {
			return err
		}
	}
	return nil
}

// completePods completes the first argument with the names of pods.
func (s *session) completePods(selector string) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cluster, namespace, err := s.cluster()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		list, err := cluster.Client.CoreV1().Pods(namespace).List(command.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for i := range list.Items {
			if strings.HasPrefix(list.Items[i].Name, toComplete) {
				names = append(names, list.Items[i].Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
