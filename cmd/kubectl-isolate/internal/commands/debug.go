package commands

import (
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	kubectldebug "k8s.io/kubectl/pkg/cmd/debug"
	"k8s.io/kubectl/pkg/cmd/util/podcmd"

	"isolate.example.io/quarantine"
)

// newDebugCommand returns kubectl debug for pods, which quarantines the pod first.
func newDebugCommand(s *session) *cobra.Command {
	o := newQuarantineOptions(s)
	o.wait = waitOut
	debug := kubectldebug.NewDebugOptions(s.IOStreams)
	command := &cobra.Command{
		Use:     "debug POD --image=IMAGE [-- COMMAND [ARGS...]]",
		Short:   "Quarantine a pod if it isn't yet, then debug it as kubectl debug does",
		Long:    longDebug,
		Example: exampleDebug,
		RunE: func(command *cobra.Command, args []string) error {
			return runDebug(command, args, o, debug)
		},
	}
	debug.AddFlags(command)
	_ = command.Flags().MarkHidden("filename") // The command takes a pod's name, not a file.
	o.requests.addFlags(command.Flags())
	command.Flags().BoolVarP(&o.yes, "yes", "y", false, "Quarantine the pod without asking.")
	command.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "How long to wait until no EndpointSlice has the pod.")
	return command
}

func runDebug(command *cobra.Command, args []string, o *quarantineOptions, debug *kubectldebug.DebugOptions) error {
	named := args
	if dash := command.ArgsLenAtDash(); dash >= 0 {
		named = args[:dash]
	}
	name, err := onePod(command, named)
	if err != nil {
		return err
	}
	ctx := command.Context()
	cluster, pod, err := o.pod(ctx, name)
	if err != nil {
		return err
	}
	if debug.TargetContainer == "" && debug.CopyTo == "" {
		debug.TargetContainer = defaultContainer(pod)
	}
	// Before the quarantine, so that an invalid flag changes nothing.
	if err := debug.Complete(o.factory, command, args); err != nil {
		return err
	}
	if err := debug.Validate(); err != nil {
		return err
	}
	if quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free {
		if err := o.askAndQuarantine(ctx, cluster, pod); err != nil {
			return err
		}
	}
	return debug.Run(o.factory, command)
}

// defaultContainer returns the container that kubectl uses if none is named.
func defaultContainer(pod *corev1.Pod) string {
	if name := pod.Annotations[podcmd.DefaultContainerAnnotationName]; name != "" {
		return name
	}
	return pod.Spec.Containers[0].Name
}
