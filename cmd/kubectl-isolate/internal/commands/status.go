package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

type statusOptions struct {
	*session
	cluster *pods.Cluster
}

func newStatusCommand(s *session) *cobra.Command {
	o := &statusOptions{session: s}
	return &cobra.Command{
		Use:     "status POD",
		Short:   "Show one quarantined pod's story, and what a release would do",
		Long:    longStatus,
		Example: exampleStatus,
		RunE: func(command *cobra.Command, args []string) error {
			name, err := onePod(command, args)
			if err != nil {
				return err
			}
			return o.run(command.Context(), name)
		},
	}
}

func (o *statusOptions) run(ctx context.Context, name string) error {
	cluster, pod, err := o.pod(ctx, name)
	if err != nil {
		return err
	}
	o.cluster = cluster
	if quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free {
		fmt.Fprintln(o.Out, messageNotQuarantined(pod))
		return nil
	}
	out := printers.GetNewTabWriter(escaping{o.Out})
	o.printRecord(out, cluster.Views().Of(ctx, pod))
	if pod.DeletionTimestamp == nil {
		o.printRelease(ctx, out, pod)
	}
	o.printEvents(ctx, out, pod)
	return out.Flush()
}

func (o *statusOptions) printRecord(out io.Writer, view *pods.View) {
	row := func(name, value string) { fmt.Fprintf(out, "%s:\t%s\n", name, value) }
	pod, status, now := view.Pod, &view.Status, o.clock.Now()
	row("Name", pod.Name)
	row("Namespace", pod.Namespace)
	row("State", string(view.State))
	if status.State == quarantine.Damaged {
		row("Problem", status.Problem.Error())
		row("Hold", strconv.FormatBool(status.Held))
		return
	}
	row("Quarantined", ago(status.QuarantinedAt, now)+" by "+status.By)
	rows(out, "Reason", strings.Split(orNone(pod.Annotations[quarantine.ReasonKey]), "\n"))
	row("Expires", inFuture(status.ExpiresAt, now))
	if status.Problem != nil {
		row("Problem", status.Problem.Error())
	}
	row("Hold", strconv.FormatBool(status.Held))
	row("Node", orNone(pod.Spec.NodeName))
	row("Former Owner", former(view))
	rows(out, "Detached From", status.Record.DetachedFrom)
	rows(out, "Labels", labelChanges(pod.Labels, &status.Record))
}

// printRelease prints what a release would do, from a dry run, and what would select the pod
// then.
func (o *statusOptions) printRelease(ctx context.Context, out io.Writer, pod *corev1.Pod) {
	after, says, err := o.try(ctx, pod, annotations{quarantine.TriggerKey: nil})
	if err != nil {
		rows(out, "If Released", []string{"would be refused: " + err.Error()})
		return
	}
	rows(out, "If Released", says)
	selecting, unread := o.cluster.Selecting(ctx, pod.Namespace, after.Labels)
	names := objectNames(selecting)
	for _, err := range unread {
		names = append(names, "unknown "+err.Error())
	}
	rows(out, "Then Selected By", names)
}

func (o *statusOptions) printEvents(ctx context.Context, out io.Writer, pod *corev1.Pod) {
	events, err := o.cluster.Events(ctx, pod.Namespace, pod.UID)
	switch {
	case err != nil:
		fmt.Fprintf(out, "Events:\tunknown: %v\n", err)
	case len(events) == 0:
		fmt.Fprintf(out, "Events:\t%s\n", none)
	default:
		fmt.Fprint(out, "Events:\n  LAST SEEN\tTYPE\tREASON\tMESSAGE\n")
		for i := range events {
			fmt.Fprintf(out, "  %s\t%s\t%s\t%s\n", duration.HumanDuration(o.clock.Now().Sub(pods.LastSeen(&events[i]))),
				events[i].Type, events[i].Reason, events[i].Message)
		}
	}
}

// rows prints a list, one entry per line, with its name before the first.
func rows(out io.Writer, name string, values []string) {
	if len(values) == 0 {
		values = []string{none}
	}
	for i, value := range values {
		if i == 0 {
			fmt.Fprintf(out, "%s:\t%s\n", name, value)
			continue
		}
		fmt.Fprintf(out, "\t%s\n", value)
	}
}

func ago(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), duration.HumanDuration(now.Sub(t)))
}

func inFuture(t, now time.Time) string {
	if !now.Before(t) {
		return ago(t, now)
	}
	return fmt.Sprintf("%s (in %s)", t.UTC().Format(time.RFC3339), duration.HumanDuration(t.Sub(now)))
}

// former names the former controller, and says how many available pods it has.
func former(view *pods.View) string {
	var unknown *pods.UnknownKindError
	switch name := ownerName(view.Former); {
	case view.Former == nil:
		return name
	case errors.As(view.Unread, &unknown):
		return name
	case view.Unread != nil:
		return fmt.Sprintf("%s (unknown: %v)", name, view.Unread)
	case view.Controller == nil:
		return name + " (deleted)"
	default:
		return fmt.Sprintf("%s (%d of %d pods available)", name, view.Controller.Available, view.Controller.Desired)
	}
}

// labelChanges returns each label that the quarantine changed.
func labelChanges(now map[string]string, record *quarantine.Record) []string {
	var changes []string
	for _, key := range slices.Sorted(maps.Keys(record.Labels)) {
		value, ok := now[key]
		if !ok {
			value = none
		}
		changes = append(changes, fmt.Sprintf("%s=%s (was %s)", key, value, record.Labels[key]))
	}
	return changes
}

func objectNames(objects []*quarantine.SelectingObject) []string {
	names := make([]string, len(objects))
	for i, object := range objects {
		names[i] = object.String()
	}
	return names
}
