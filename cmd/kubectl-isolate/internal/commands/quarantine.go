package commands

import (
	"context"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/scheme"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// Values of --wait.
const (
	waitNone     = "none"
	waitOut      = "out"
	waitReplaced = "replaced"
)

type quarantineOptions struct {
	*session
	requests
	print   *genericclioptions.PrintFlags
	yes     bool
	wait    string
	timeout time.Duration
	dryRun  cmdutil.DryRunStrategy
}

func newQuarantineOptions(s *session) *quarantineOptions {
	return &quarantineOptions{
		session: s, wait: waitReplaced, timeout: time.Minute,
		print: genericclioptions.NewPrintFlags("quarantined").WithTypeSetter(scheme.Scheme),
	}
}

func (o *quarantineOptions) addFlags(command *cobra.Command) {
	o.requests.addFlags(command.Flags())
	command.Flags().BoolVarP(&o.yes, "yes", "y", false, "Don't show the plan and don't ask.")
	command.Flags().StringVar(&o.wait, "wait", o.wait, "What to wait for: none; out, until no EndpointSlice has the pod; or replaced, until a replacement is Ready too.")
	command.Flags().DurationVar(&o.timeout, "timeout", o.timeout, "How long to wait.")
	command.Flags().String("dry-run", "none", "none, or server: ask the server what it would do, and change nothing.")
	o.print.AddFlags(command)
}

func (o *quarantineOptions) validate(command *cobra.Command) (err error) {
	switch o.wait {
	case waitNone, waitOut, waitReplaced:
	default:
		return errWait(o.wait)
	}
	if o.dryRun, err = dryRunOf(command); err != nil {
		return err
	}
	cmdutil.PrintFlagsWithDryRunStrategy(o.print, o.dryRun)
	return nil
}

func (o *quarantineOptions) run(command *cobra.Command, args []string) error {
	name, err := onePod(command, args)
	if err != nil {
		return err
	}
	if err := o.validate(command); err != nil {
		return err
	}
	ctx := command.Context()
	cluster, pod, err := o.pod(ctx, name)
	if err != nil {
		return err
	}
	if quarantine.StatusOf(pod.Labels, pod.Annotations).State != quarantine.Free {
		return errAlreadyQuarantined(pod)
	}
	return o.askAndQuarantine(ctx, cluster, pod)
}

// askAndQuarantine quarantines a pod, after asking unless the flags say not to.
func (o *quarantineOptions) askAndQuarantine(ctx context.Context, cluster *pods.Cluster, pod *corev1.Pod) (err error) {
	var shown []string
	if !o.yes && o.dryRun == cmdutil.DryRunNone {
		if shown, err = o.ask(ctx, cluster, pod); err != nil {
			return err
		}
	}
	return o.quarantine(ctx, cluster, pod, shown)
}

// ask shows the plan and asks. It returns the warnings that were shown with it.
func (o *quarantineOptions) ask(ctx context.Context, cluster *pods.Cluster, pod *corev1.Pod) ([]string, error) {
	if !o.isTerminal() {
		return nil, errNobodyToAsk
	}
	p, err := o.plan(ctx, cluster, pod, o.annotations())
	if err != nil {
		return nil, err
	}
	if err := p.print(o.ErrOut, o.clock.Now()); err != nil {
		return nil, err
	}
	return p.says, o.confirm(ctx, questionQuarantine(pod))
}

// quarantine quarantines the pod, waits, and prints how long each step took.
func (o *quarantineOptions) quarantine(ctx context.Context, cluster *pods.Cluster, pod *corev1.Pod, shown []string) error {
	printer, err := o.print.ToPrinter()
	if err != nil {
		return err
	}
	client, err := o.client(&newWarnings{WarningHandler: o.printedWarnings(), shown: shown})
	if err != nil {
		return err
	}
	dryRun := o.dryRun == cmdutil.DryRunServer
	w := o.prepare(ctx, cluster, pod)
	after, err := write(ctx, client, pod, o.annotations(), dryRun)
	if err != nil {
		return err
	}
	if quarantine.StatusOf(after.Labels, after.Annotations).State != quarantine.Quarantined {
		return errNotAnswered(pod)
	}
	if err := printer.PrintObj(after, o.Out); err != nil || dryRun {
		return err
	}
	w.report(messageWritten)
	if o.wait == waitNone {
		return nil
	}
	return w.wait(ctx)
}

// newWarnings leaves out warnings that were shown already. It ignores times in them: the
// warning of the write may name a later second than that of the dry run.
type newWarnings struct {
	rest.WarningHandler
	shown []string
}

var timeInWarning = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// HandleWarningHeader implements [rest.WarningHandler].
func (w *newWarnings) HandleWarningHeader(code int, agent, text string) {
	untimed := timeInWarning.ReplaceAllString(text, "")
	for _, shown := range w.shown {
		if timeInWarning.ReplaceAllString(shown, "") == untimed {
			return
		}
	}
	w.WarningHandler.HandleWarningHeader(code, agent, text)
}
