package commands

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// Exit codes, as --help and docs/plugin.md list them.
const (
	exitFailed = 1
	// exitRefused: the API server, a policy or isolate refuses the write.
	exitRefused = 3
	// exitNotReached: the pod is quarantined, but the state that --wait names was not reached.
	exitNotReached = 4
	// exitIncomplete: the archive is written, but something is missing from it.
	exitIncomplete = 5
	// exitInterrupted: Ctrl-C or SIGTERM ended the command. Shells use the same code.
	exitInterrupted = 130
)

// completionProgram is the name under which kubectl calls a plugin for completion.
const completionProgram = "kubectl_complete-isolate"

// exitError is an error with its own exit code.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

// Main runs the plugin with these arguments, the program's own path first, and
// returns the code to exit with.
func Main(args []string, streams genericiooptions.IOStreams) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // A second Ctrl-C ends the process at once.
	arguments := args[1:]
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == completionProgram {
		arguments = slices.Concat([]string{cobra.ShellCompRequestCmd}, arguments)
	}
	command := newCommand(streams)
	command.SetArgs(arguments)
	err := command.ExecuteContext(ctx)
	if own := (exitError{}); err != nil && ctx.Err() != nil && !errors.As(err, &own) {
		err = exitError{exitInterrupted, errInterrupted}
	}
	return report(err, streams)
}

// report prints an error as kubectl does, and returns the code to exit with.
func report(err error, streams genericiooptions.IOStreams) int {
	if err == nil {
		return 0
	}
	code, status, own := exitFailed, (*apierrors.StatusError)(nil), exitError{}
	switch {
	case errors.As(err, &own):
		code, err = own.code, own.error
	case errors.As(err, &status):
		err = status // Unwrapped: like kubectl, the message begins with the server's.
		if isRefusal(err) {
			code = exitRefused
		}
	}
	cmdutil.BehaviorOnFatal(func(message string, _ int) { fmt.Fprintln(streams.ErrOut, strings.TrimRight(message, "\n")) })
	cmdutil.CheckErr(err)
	return code
}

// isRefusal reports whether the server understood a write and refused it.
func isRefusal(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) }

func newCommand(streams genericiooptions.IOStreams) *cobra.Command {
	s := newSession(streams)
	o := newQuarantineOptions(s)
	root := &cobra.Command{
		Use:     "kubectl-isolate POD",
		Short:   "Quarantine a pod, after showing what that would do",
		Long:    longRoot,
		Example: exampleRoot,
		Args:    cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			return runRoot(command, args, o)
		},
		Version: version(),
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "kubectl isolate",
		},
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
	}
	root.SetUsageTemplate(usageTemplate)
	root.CompletionOptions.DisableDefaultCmd = true // kubectl completes; see completionProgram.
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetIn(streams.In)
	s.flags.AddFlags(root.PersistentFlags())
	o.addFlags(root)
	hideTemplateFlags(root)
	addGroup(root, "See what is quarantined, or would be", newPlanCommand(s), newListCommand(s), newStatusCommand(s), newDoctorCommand(s))
	addGroup(root, "Investigate", newDebugCommand(s), newCollectCommand(s))
	addGroup(root, "Change a quarantine", newExtendCommand(s), newHoldCommand(s), newUnholdCommand(s), newReleaseCommand(s))
	cmdutil.CheckErr(addCompletion(s, root)) // Fails only if a flag was renamed.
	return root
}

// runRoot quarantines a pod. A first word that is no pod may be a command that was misspelt.
func runRoot(command *cobra.Command, args []string, o *quarantineOptions) error {
	if len(args) == 0 {
		return command.Help()
	}
	suggestions := command.SuggestionsFor(args[0])
	if len(args) > 1 {
		return cmdutil.UsageErrorf(command, "%s", messageNoCommand(args[0], suggestions))
	}
	err := o.run(command, args)
	if status := (*apierrors.StatusError)(nil); apierrors.IsNotFound(err) && errors.As(err, &status) && len(suggestions) > 0 {
		return errNoPodOrCommand(status, suggestions[0])
	}
	return err
}

// addGroup adds commands that --help lists under a title.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, command := range commands {
		command.GroupID = title
		hideTemplateFlags(command)
	}
	root.AddCommand(commands...)
}

// hideTemplateFlags leaves flags out of --help that only few need: those for templates, which
// kubectl get explains, and for managed fields.
func hideTemplateFlags(command *cobra.Command) {
	for _, name := range []string{"allow-missing-template-keys", "template", "show-managed-fields"} {
		if flag := command.Flags().Lookup(name); flag != nil {
			flag.Hidden = true
		}
	}
}
