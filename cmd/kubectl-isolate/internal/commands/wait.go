package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// quiet is how long a step may take before it is announced.
const quiet = time.Second

// waiting follows the effects of a quarantine, and reports each step with its time.
type waiting struct {
	options *quarantineOptions
	cluster *pods.Cluster
	pod     *corev1.Pod
	to      io.Writer
	start   time.Time

	// The state before the write. unread says why it could not be read.
	slices     []string
	controller *quarantine.SelectingObject
	siblings   []corev1.Pod
	unread     error
}

// prepare reads what can't be read once the pod is quarantined.
func (o *quarantineOptions) prepare(ctx context.Context, cluster *pods.Cluster, pod *corev1.Pod) *waiting {
	w := &waiting{options: o, cluster: cluster, pod: pod, to: o.Out}
	if *o.print.OutputFormat != "" {
		w.to = o.ErrOut // The output is for a program.
	}
	if o.wait != waitNone {
		w.unread = w.read(ctx)
	}
	w.start = o.clock.Now()
	return w
}

func (w *waiting) read(ctx context.Context) (err error) {
	if w.slices, err = w.cluster.SlicesWith(ctx, w.pod.Namespace, w.pod.UID); err != nil {
		return err
	}
	ref := metav1.GetControllerOf(w.pod)
	if w.options.wait != waitReplaced || ref == nil {
		return nil
	}
	unknown := (*pods.UnknownKindError)(nil)
	if w.controller, err = w.cluster.Controller(ctx, w.pod.Namespace, ref); w.controller == nil || errors.As(err, &unknown) {
		return err
	}
	w.siblings, err = w.cluster.PodsOf(ctx, w.pod.Namespace, w.controller)
	return err
}

func (w *waiting) report(step string) {
	fmt.Fprintf(w.to, "  %s after %s\n", step, w.options.clock.Since(w.start).Round(time.Millisecond))
}

// wait waits until the state that --wait names is reached.
func (w *waiting) wait(ctx context.Context) error {
	if unknown := (*pods.UnknownKindError)(nil); w.unread != nil && !errors.As(w.unread, &unknown) {
		return exitError{exitNotReached, errCantFollow(w.pod, w.unread)}
	}
	limited, cancel := context.WithTimeout(ctx, w.options.timeout)
	defer cancel()
	err := w.untilOut(limited)
	if err == nil && w.options.wait == waitReplaced {
		err = w.untilReplaced(limited)
	}
	if err != nil && ctx.Err() != nil {
		return exitError{exitInterrupted, errWaitInterrupted(w.pod)}
	}
	return err
}

func (w *waiting) untilOut(ctx context.Context) error {
	if len(w.slices) == 0 {
		fmt.Fprintln(w.to, "  "+messageInNoSlice)
		return nil
	}
	defer w.announce(messageWaitingOut(w.slices))()
	still, err := w.cluster.UntilOut(ctx, w.pod.Namespace, w.pod.UID)
	if err != nil {
		return exitError{exitNotReached, errNotOut(w.pod, still, w.options.timeout, err)}
	}
	w.report(messageOut(len(w.slices)))
	return nil
}

func (w *waiting) untilReplaced(ctx context.Context) error {
	ref := metav1.GetControllerOf(w.pod)
	if why := noReplacement(ref, w.controller); why != "" {
		fmt.Fprintln(w.to, "  "+why)
		return nil
	}
	defer w.announce(messageWaitingReplaced(ref))()
	replacement, err := w.cluster.UntilReplaced(ctx, w.pod.Namespace, w.controller, w.siblings)
	switch {
	case err != nil:
		return exitError{exitNotReached, errNotReplaced(w.pod, ref, w.options.timeout, err)}
	case replacement == nil:
		w.report(messageAtStrength(w.controller))
	default:
		w.report(messageReplaced(replacement))
	}
	return nil
}

// announce prints the message if a step takes long. The caller calls over at its end.
func (w *waiting) announce(message string) (over func()) {
	timer := time.AfterFunc(quiet, func() { fmt.Fprintln(w.options.ErrOut, message) })
	return func() { timer.Stop() }
}
