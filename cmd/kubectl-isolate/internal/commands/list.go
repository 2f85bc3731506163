package commands

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/kubectl/pkg/cmd/get"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/scheme"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// Values of the column STATE for pods that are no longer quarantined.
const (
	stateReleased pods.State = "Released"
	stateDeleted  pods.State = "Deleted"
)

type listOptions struct {
	*session
	print         *get.PrintFlags
	selector      string
	allNamespaces bool
	watch         bool

	cluster   *pods.Cluster
	namespace string
}

func newListCommand(s *session) *cobra.Command {
	o := &listOptions{session: s, print: get.NewGetPrintFlags()}
	command := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List quarantined pods",
		Long:    longList,
		Example: exampleList,
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	command.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "List the quarantined pods of all namespaces.")
	command.Flags().BoolVarP(&o.watch, "watch", "w", false, "After listing, print each pod again whenever it changes.")
	cmdutil.AddLabelSelectorFlagVar(command, &o.selector)
	o.print.AddFlags(command)
	return command
}

func (o *listOptions) run(ctx context.Context) (err error) {
	if o.cluster, o.namespace, err = o.session.cluster(); err != nil {
		return err
	}
	if o.allNamespaces {
		o.namespace = metav1.NamespaceAll
		if err := o.print.EnsureWithNamespace(); err != nil {
			return err
		}
	}
	printer, err := o.printer()
	if err != nil {
		return err
	}
	list, err := o.cluster.Client.CoreV1().Pods(o.namespace).List(ctx, o.query())
	if err != nil {
		return err
	}
	out := printers.GetNewTabWriter(o.Out)
	if err := o.printAll(ctx, printer, list, out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if !o.watch {
		return nil
	}
	return o.follow(ctx, printer, list.ResourceVersion, out)
}

// printer returns the printer that the flags select. It prints a table's headers once.
func (o *listOptions) printer() (printers.ResourcePrinter, error) {
	printer, err := o.print.ToPrinter()
	sortBy := *o.print.HumanReadableFlags.SortBy
	switch {
	case err != nil || sortBy == "":
		return printer, err
	case o.watch:
		return nil, errWatchSorted
	}
	return &get.SortingPrinter{Delegate: printer, SortField: sortBy, Decoder: scheme.Codecs.UniversalDecoder()}, nil
}

func (o *listOptions) query() metav1.ListOptions {
	selector := quarantine.QuarantinedLabel
	if o.selector != "" {
		selector += "," + o.selector
	}
	return metav1.ListOptions{LabelSelector: selector}
}

// isTable reports whether the output is a table for people, not the pods themselves.
func (o *listOptions) isTable() bool {
	template := o.print.TemplateFlags.TemplateArgument
	return (*o.print.OutputFormat == "" && (template == nil || *template == "")) || *o.print.OutputFormat == "wide"
}

func (o *listOptions) printAll(ctx context.Context, printer printers.ResourcePrinter, list *corev1.PodList, out io.Writer) error {
	switch {
	case *o.print.OutputFormat == "name": // Its printer takes no lists.
		for _, item := range asList(list).Items {
			if err := printer.PrintObj(item.Object, out); err != nil {
				return err
			}
		}
		return nil
	case !o.isTable():
		return printer.PrintObj(asList(list), out)
	}
	if len(list.Items) == 0 {
		if !o.watch {
			fmt.Fprintln(o.ErrOut, messageNone(o.namespace))
		}
		return nil
	}
	views := o.cluster.Views()
	table := &metav1.Table{ColumnDefinitions: columns}
	for i := range list.Items {
		table.Rows = append(table.Rows, o.row(views.Of(ctx, &list.Items[i])))
	}
	return printer.PrintObj(table, out)
}

// flusher aligns a table when it is flushed.
type flusher interface {
	io.Writer
	Flush() error
}

// follow prints a pod again whenever it changes.
func (o *listOptions) follow(ctx context.Context, printer printers.ResourcePrinter, from string, out flusher) error {
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, from, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			query := o.query()
			options.LabelSelector = query.LabelSelector
			return o.cluster.Client.CoreV1().Pods(o.namespace).Watch(ctx, options)
		},
	})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if err := o.printEvent(ctx, printer, event, out); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil // The context was canceled.
}

func (o *listOptions) printEvent(ctx context.Context, printer printers.ResourcePrinter, event watch.Event, out io.Writer) error {
	if event.Type == watch.Error {
		return apierrors.FromObject(event.Object)
	}
	pod, ok := event.Object.(*corev1.Pod)
	if !ok || event.Type == watch.Bookmark {
		return nil
	}
	if !o.isTable() {
		pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		return printer.PrintObj(pod, out)
	}
	view := o.cluster.Views().Of(ctx, pod)
	if event.Type == watch.Deleted {
		// This watch selects by label, so it reports a released pod as deleted too.
		view.State = stateDeleted
		live, err := o.cluster.Client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err == nil && live.UID == pod.UID && live.DeletionTimestamp == nil {
			view.State = stateReleased
		}
	}
	return printer.PrintObj(&metav1.Table{ColumnDefinitions: columns, Rows: []metav1.TableRow{o.row(view)}}, out)
}

// columns are the columns of the table. --all-namespaces puts NAMESPACE before them.
var columns = []metav1.TableColumnDefinition{
	{Name: "Pod", Type: "string", Format: "name"},
	{Name: "Former Owner", Type: "string"},
	{Name: "By", Type: "string"},
	{Name: "Reason", Type: "string"},
	{Name: "Left", Type: "string"},
	{Name: "Hold", Type: "boolean"},
	{Name: "State", Type: "string"},
	{Name: "Quarantined", Type: "string", Priority: 1},
	{Name: "Expires At", Type: "string", Priority: 1},
	{Name: "Node", Type: "string", Priority: 1},
	{Name: "Detached From", Type: "string", Priority: 1},
}

const maxReasonColumn = 40

func (o *listOptions) row(view *pods.View) metav1.TableRow {
	now := o.clock.Now()
	left, since, expires := none, none, none
	if view.Status.State == quarantine.Quarantined {
		left = duration.HumanDuration(view.Left(now))
		since = duration.HumanDuration(now.Sub(view.Status.QuarantinedAt))
		expires = view.Status.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return metav1.TableRow{
		Object: runtime.RawExtension{Object: view.Pod},
		Cells: []any{
			view.Pod.Name,
			ownerName(view.Former),
			orNone(view.Status.By),
			orNone(cut(view.Pod.Annotations[quarantine.ReasonKey], maxReasonColumn)),
			left,
			view.Status.Held,
			string(view.State),
			since, expires,
			orNone(view.Pod.Spec.NodeName),
			orNone(joined(view.Status.Record.DetachedFrom)),
		},
	}
}

// asList returns a v1.List of the pods, as kubectl prints several objects.
func asList(list *corev1.PodList) *corev1.List {
	all := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		all.Items = append(all.Items, runtime.RawExtension{Object: &list.Items[i]})
	}
	return all
}
