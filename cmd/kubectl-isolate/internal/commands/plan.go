package commands

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/scheme"
	"k8s.io/utils/ptr"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// requests are the flags that become annotations of the write that quarantines.
type requests struct {
	ttl, reason string
	hold, force bool
}

func (r *requests) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&r.ttl, "ttl", "", "How long to keep the pod: 90s, 30m, 36h, 7d, 1d12h. Unless set, the namespace's default or isolate's, 24h.")
	flags.StringVar(&r.reason, "reason", "", "Why the pod is quarantined, for the people who find it; at most 1,024 characters.")
	flags.BoolVar(&r.hold, "hold", false, "Keep the pod until the hold is removed, even after its time is up.")
	flags.BoolVar(&r.force, "force", false, "Proceed despite a refusal that names force as the way past.")
}

func (r *requests) annotations() annotations {
	changes := annotations{quarantine.TriggerKey: ptr.To(quarantine.True)}
	if r.ttl != "" {
		changes[quarantine.TTLKey] = &r.ttl
	}
	if r.reason != "" {
		changes[quarantine.ReasonKey] = &r.reason
	}
	if r.hold {
		changes[quarantine.HoldKey] = ptr.To(quarantine.True)
	}
	if r.force {
		changes[quarantine.ForceKey] = ptr.To(quarantine.True)
	}
	return changes
}

type planOptions struct {
	*session
	requests
	print *genericclioptions.PrintFlags
}

func newPlanCommand(s *session) *cobra.Command {
	o := &planOptions{session: s, print: genericclioptions.NewPrintFlags("").WithTypeSetter(scheme.Scheme)}
	command := &cobra.Command{
		Use:     "plan POD",
		Short:   "Show what a quarantine would do, and change nothing",
		Long:    longPlan,
		Example: examplePlan,
		RunE: func(command *cobra.Command, args []string) error {
			name, err := onePod(command, args)
			if err != nil {
				return err
			}
			return o.run(command.Context(), name)
		},
	}
	o.addFlags(command.Flags())
	o.print.AddFlags(command)
	return command
}

func (o *planOptions) run(ctx context.Context, name string) error {
	cluster, pod, err := o.pod(ctx, name)
	if err != nil {
		return err
	}
	if quarantine.StatusOf(pod.Labels, pod.Annotations).State != quarantine.Free {
		return errAlreadyQuarantined(pod)
	}
	p, err := o.plan(ctx, cluster, pod, o.annotations())
	if err != nil {
		return err
	}
	if *o.print.OutputFormat != "" {
		printer, err := o.print.ToPrinter()
		if err != nil {
			return err
		}
		return printer.PrintObj(p.after, o.Out)
	}
	return p.print(o.Out, o.clock.Now())
}

// plan is what a quarantine would do.
type plan struct {
	before, after *corev1.Pod
	record        quarantine.Record

	// says are the server's warnings, unchanged.
	says []string

	controller string
	lost       []string
	budget     []string
}

// plan quarantines the pod in a dry run. The error may be the server's refusal.
func (s *session) plan(ctx context.Context, cluster *pods.Cluster, pod *corev1.Pod, changes annotations) (*plan, error) {
	p := &plan{before: pod}
	var err error
	if p.after, p.says, err = s.try(ctx, pod, changes); err != nil {
		return nil, err
	}
	status := quarantine.StatusOf(p.after.Labels, p.after.Annotations)
	if status.State != quarantine.Quarantined {
		return nil, errNotAnswered(pod)
	}
	p.record = status.Record
	p.controller = formerNow(ctx, cluster, pod.Namespace, &p.record)
	p.lost = lostPolicies(ctx, cluster, pod, p.after)
	budget, err := cluster.BudgetFor(ctx, pod.Namespace, pod.Name, &p.record)
	if err != nil {
		p.budget = []string{messageUnknown(err)}
	} else {
		p.budget = budgetRows(budget, pod.Namespace)
	}
	return p, nil
}

// formerNow describes the current state of the controller that the quarantine would detach
// the pod from.
func formerNow(ctx context.Context, cluster *pods.Cluster, namespace string, record *quarantine.Record) string {
	view := &pods.View{Former: pods.FormerController(record)}
	if view.Former != nil {
		view.Controller, view.Unread = cluster.Controller(ctx, namespace, view.Former)
	}
	return former(view)
}

// lostPolicies returns the NetworkPolicies that would no longer select the pod.
func lostPolicies(ctx context.Context, cluster *pods.Cluster, before, after *corev1.Pod) []string {
	policies, err := cluster.NetworkPolicies(ctx, before.Namespace)
	if err != nil {
		return []string{messageUnknown(err)}
	}
	var lost []string
	for _, policy := range policies {
		if pods.Selects(policy, before.Labels) && !pods.Selects(policy, after.Labels) {
			lost = append(lost, policy.String())
		}
	}
	return lost
}

func (p *plan) print(to io.Writer, now time.Time) error {
	to = escaping{to}
	fmt.Fprintf(to, "%s\n\n", messagePlan(p.before))
	out := printers.GetNewTabWriter(to)
	fmt.Fprint(out, "LABEL\tNOW\tQUARANTINED\n")
	keys := slices.Sorted(maps.Keys(p.before.Labels))
	for key := range p.after.Labels {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		fmt.Fprintf(out, "%s\t%s\t%s\n", key, valueOf(p.before.Labels, key), valueOf(p.after.Labels, key))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to)
	status := quarantine.StatusOf(p.after.Labels, p.after.Annotations)
	rows(out, "Detached From", p.record.DetachedFrom)
	rows(out, "Controller", []string{p.controller})
	rows(out, "Policies Lost", p.lost)
	rows(out, "Expires", []string{expiry(&status, now)})
	rows(out, "Budget", p.budget)
	rows(out, "Warnings", p.says)
	return out.Flush()
}

func expiry(status *quarantine.Status, now time.Time) string {
	if status.Held {
		return inFuture(status.ExpiresAt, now) + ", held"
	}
	return inFuture(status.ExpiresAt, now)
}

func valueOf(labels map[string]string, key string) string {
	if value, ok := labels[key]; ok {
		return value
	}
	return none
}
