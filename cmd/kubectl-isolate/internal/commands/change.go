package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/scheme"
	"k8s.io/utils/ptr"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// change is a command that changes one annotation of a quarantined pod.
type change struct {
	*session
	print  *genericclioptions.PrintFlags
	dryRun cmdutil.DryRunStrategy
	yes    bool

	annotations annotations
	// deletes returns the server's warnings and a question if the change would or may lead
	// to the pod's deletion, else no question. It is nil if the change never does.
	deletes func(ctx context.Context, view *pods.View) (says []string, question string, err error)
}

// newChange returns such a command. done is what it prints about a pod, such as "held".
func newChange(s *session, use, done string, texts [3]string) (*cobra.Command, *change) {
	c := &change{session: s, print: genericclioptions.NewPrintFlags(done).WithTypeSetter(scheme.Scheme)}
	command := &cobra.Command{
		Use: use, Short: texts[0], Long: texts[1], Example: texts[2],
		RunE: func(command *cobra.Command, args []string) error { return c.run(command, args) },
	}
	command.Flags().String("dry-run", "none", "none, or server: ask the server what it would do, and change nothing.")
	c.print.AddFlags(command)
	return command, c
}

func newExtendCommand(s *session) *cobra.Command {
	command, c := newChange(s, "extend POD DURATION", "extended", textsExtend)
	command.RunE = func(command *cobra.Command, args []string) error {
		if len(args) != 2 {
			return cmdutil.UsageErrorf(command, "%s", messageExtendArguments)
		}
		c.annotations = annotations{quarantine.ExtendKey: &args[1]}
		return c.run(command, args[:1])
	}
	return command
}

func newHoldCommand(s *session) *cobra.Command {
	command, c := newChange(s, "hold POD", "held", textsHold)
	c.annotations = annotations{quarantine.HoldKey: ptr.To(quarantine.True)}
	return command
}

func newUnholdCommand(s *session) *cobra.Command {
	command, c := newChange(s, "unhold POD", "no longer held", textsUnhold)
	c.annotations = annotations{quarantine.HoldKey: nil}
	command.Flags().BoolVarP(&c.yes, "yes", "y", false, "Don't ask, even if the pod will be deleted.")
	c.deletes = func(ctx context.Context, view *pods.View) ([]string, string, error) {
		if !view.Status.Held || s.clock.Now().Before(view.Status.ExpiresAt) {
			return nil, "", nil
		}
		_, says, err := s.try(ctx, view.Pod, c.annotations)
		return says, questionUnhold(view), err
	}
	return command
}

func newReleaseCommand(s *session) *cobra.Command {
	command, c := newChange(s, "release POD", "released", textsRelease)
	c.annotations = annotations{quarantine.TriggerKey: nil}
	var force bool
	command.Flags().BoolVarP(&c.yes, "yes", "y", false, "Don't ask, even if the former controller may delete the pod.")
	command.Flags().BoolVar(&force, "force", false, "Release a held pod although its former controller may delete it.")
	run := command.RunE
	command.RunE = func(command *cobra.Command, args []string) error {
		if force {
			c.annotations[quarantine.ForceKey] = ptr.To(quarantine.True)
		}
		return run(command, args)
	}
	c.deletes = func(ctx context.Context, view *pods.View) ([]string, string, error) {
		if view.Former == nil || (view.Controller == nil && view.Unread == nil) {
			return nil, "", nil // No controller could delete it.
		}
		_, says, err := s.try(ctx, view.Pod, c.annotations)
		return says, questionRelease(view), err
	}
	return command
}

func (c *change) run(command *cobra.Command, args []string) error {
	name, err := onePod(command, args)
	if err != nil {
		return err
	}
	if c.dryRun, err = dryRunOf(command); err != nil {
		return err
	}
	cmdutil.PrintFlagsWithDryRunStrategy(c.print, c.dryRun)
	printer, err := c.print.ToPrinter()
	if err != nil {
		return err
	}
	ctx := command.Context()
	cluster, pod, err := c.pod(ctx, name)
	if err != nil {
		return err
	}
	if quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free {
		return errNotQuarantined(pod)
	}
	shown, err := c.ask(ctx, cluster, pod)
	if err != nil {
		return err
	}
	client, err := c.client(&newWarnings{WarningHandler: c.printedWarnings(), shown: shown})
	if err != nil {
		return err
	}
	after, err := write(ctx, client, pod, c.annotations, c.dryRun == cmdutil.DryRunServer)
	if err != nil {
		return err
	}
	return printer.PrintObj(after, c.Out)
}

// ask shows the server's warnings and asks, if the change may lead to the pod's deletion.
func (c *change) ask(ctx context.Context, cluster *pods.Cluster, pod *corev1.Pod) (shown []string, err error) {
	if c.deletes == nil || c.yes || c.dryRun != cmdutil.DryRunNone {
		return nil, nil
	}
	says, question, err := c.deletes(ctx, cluster.Views().Of(ctx, pod))
	if err != nil || question == "" {
		return nil, err
	}
	for _, text := range says {
		fmt.Fprintln(c.ErrOut, text)
	}
	return says, c.confirm(ctx, question)
}

// dryRunOf reads --dry-run.
func dryRunOf(command *cobra.Command) (cmdutil.DryRunStrategy, error) {
	strategy, err := cmdutil.GetDryRunStrategy(command)
	if err == nil && strategy == cmdutil.DryRunClient {
		return strategy, errDryRunClient
	}
	return strategy, err
}
