package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/cmd/kubectl-isolate/internal/pods"
	"isolate.example.io/quarantine"
)

// This file has every message of the commands, except the descriptions of flags. Messages of
// the server are printed unchanged.

// none is printed for an empty value, as in kubectl's tables.
const none = "<none>"

var errWatchSorted = errors.New("--watch prints pods as they change, so it can't sort them: leave out --sort-by or --watch")

func messageOnePod(n int) string {
	if n == 0 {
		return "name the pod"
	}
	return "name one pod"
}

// messageNoCommand answers words that are neither a pod nor a command, such as "quarantine POD".
func messageNoCommand(word string, suggestions []string) string {
	if len(suggestions) > 0 {
		return fmt.Sprintf("there is no command %q; did you mean: kubectl isolate %s", word, suggestions[0])
	}
	return fmt.Sprintf("there is no command %q. To quarantine a pod: kubectl isolate POD", word)
}

// errNoPodOrCommand adds a command to the server's answer that there is no such pod.
func errNoPodOrCommand(err *apierrors.StatusError, suggestion string) error {
	own := *err
	own.ErrStatus.Message += "; did you mean: kubectl isolate " + suggestion
	return &own
}

func messageNone(namespace string) string {
	if namespace == "" {
		return "No quarantined pods found."
	}
	return fmt.Sprintf("No quarantined pods found in namespace %s.", namespace)
}

// ownerName names an owner as kubectl does: ReplicaSet/web-5d4.
func ownerName(ref *metav1.OwnerReference) string {
	if ref == nil {
		return none
	}
	return ref.Kind + "/" + ref.Name
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}

func joined(names []string) string { return strings.Join(names, ", ") }

// cut shortens a text to its first line, and to at most this many characters.
func cut(text string, most int) string {
	line, _, more := strings.Cut(text, "\n")
	runes := []rune(line)
	if len(runes) > most || more {
		return string(runes[:min(len(runes), most-1)]) + "…"
	}
	return line
}

func messageNotQuarantined(pod *corev1.Pod) string {
	return fmt.Sprintf("pod/%s is not quarantined. To see what a quarantine would do: kubectl isolate plan -n %s %s", pod.Name, pod.Namespace, pod.Name)
}

func messagePlan(pod *corev1.Pod) string {
	return fmt.Sprintf("A quarantine of pod/%s in namespace %s would do this; nothing was changed.", pod.Name, pod.Namespace)
}

func messageUnknown(err error) string { return fmt.Sprintf("unknown: %v", err) }

// budgetRows says how many pods are quarantined already, and how many may be.
func budgetRows(budget *pods.Budget, namespace string) []string {
	quarantined := func(n int, limit func(*pods.Limits) int) string {
		switch {
		case budget.Limits == nil:
			return fmt.Sprintf("%d pods are quarantined", n)
		case limit(budget.Limits) == 0:
			return fmt.Sprintf("%d pods are quarantined, without a limit", n)
		}
		return fmt.Sprintf("%d of at most %d pods are quarantined", n, limit(budget.Limits))
	}
	var rows []string
	if budget.Owner != nil {
		kind, _, _ := strings.Cut(budget.Owner.Kind, ".")
		rows = append(rows, fmt.Sprintf("%s/%s: %s", kind, budget.Owner.Name, quarantined(budget.OfOwner, func(l *pods.Limits) int { return l.Controller })))
	}
	return append(rows, fmt.Sprintf("namespace %s: %s", namespace, quarantined(budget.OfNamespace, func(l *pods.Limits) int { return l.Namespace })))
}

var (
	errNobodyToAsk  = errors.New("nothing was changed: this would ask first, and standard input is not a terminal; to go ahead without being asked: --yes")
	errNotConfirmed = errors.New("nothing was changed")
	errDryRunClient = errors.New("only isolate on the server knows what would happen: use --dry-run=server, or kubectl isolate plan POD")
)

// errInterrupted is reported if a command that changes nothing is interrupted.
var errInterrupted = errors.New("interrupted")

func errWriteInterrupted(pod *corev1.Pod) error {
	return fmt.Errorf("interrupted before the API server answered, so pod/%[1]s may have been changed. To see: kubectl isolate status -n %[2]s %[1]s", pod.Name, pod.Namespace)
}

func errWaitInterrupted(pod *corev1.Pod) error {
	return fmt.Errorf("interrupted while waiting: pod/%[1]s is quarantined. To see what follows: kubectl isolate status -n %[2]s %[1]s", pod.Name, pod.Namespace)
}

func errWait(value string) error {
	return fmt.Errorf("--wait=%s: must be none, out or replaced", value)
}

func errAlreadyQuarantined(pod *corev1.Pod) error {
	return fmt.Errorf("pod/%[1]s is already quarantined. To see its story: kubectl isolate status -n %[2]s %[1]s. "+
		"To keep it longer: kubectl isolate extend -n %[2]s %[1]s 24h", pod.Name, pod.Namespace)
}

func errNotAnswered(pod *corev1.Pod) error {
	return fmt.Errorf("isolate's webhook did not answer for pod/%s, so it is not quarantined. To find out why: kubectl isolate doctor -n %s",
		pod.Name, pod.Namespace)
}

func questionQuarantine(pod *corev1.Pod) string {
	return fmt.Sprintf("Quarantine pod/%s in namespace %s?", pod.Name, pod.Namespace)
}

const (
	messageWritten   = "written"
	messageInNoSlice = "no EndpointSlice had the pod"
)

func messageOut(slices int) string {
	if slices == 1 {
		return "out of 1 EndpointSlice"
	}
	return fmt.Sprintf("out of %d EndpointSlices", slices)
}

func messageReplaced(replacement *corev1.Pod) string {
	return fmt.Sprintf("replacement pod/%s Ready", replacement.Name)
}

func messageAtStrength(controller *quarantine.SelectingObject) string {
	return fmt.Sprintf("%s has all %d pods Ready", controller, controller.Desired)
}

func messageWaitingOut(slices []string) string {
	return "Waiting until these EndpointSlices drop the pod: " + joined(slices)
}

func messageWaitingReplaced(owner *metav1.OwnerReference) string {
	return fmt.Sprintf("Waiting until a replacement of %s is Ready", ownerName(owner))
}

// noReplacement returns why the command waits for no replacement, or "" if it does.
func noReplacement(owner *metav1.OwnerReference, controller *quarantine.SelectingObject) string {
	switch {
	case owner == nil:
		return "no replacement: no controller owned the pod"
	case controller == nil:
		return fmt.Sprintf("not waiting for a replacement: %s is gone, or of a kind that isolate does not know", ownerName(owner))
	case controller.Kind == quarantine.KindStatefulSet:
		return fmt.Sprintf("no replacement yet: %s can't start one until this pod is deleted, because its name is taken", ownerName(owner))
	case controller.Desired == 0:
		return fmt.Sprintf("no replacement: %s is scaled to zero", ownerName(owner))
	}
	return ""
}

func errCantFollow(pod *corev1.Pod, err error) error {
	return fmt.Errorf("pod/%s is quarantined, but you may not see what follows; to leave it out: --wait=none (%w)", pod.Name, err)
}

func errNotOut(pod *corev1.Pod, still []string, timeout time.Duration, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return errCantFollow(pod, err)
	}
	return fmt.Errorf("pod/%[1]s is quarantined, but after %[2]s these EndpointSlices still have it: %[3]s. To see them: kubectl get endpointslices -n %[4]s",
		pod.Name, timeout, joined(still), pod.Namespace)
}

func errNotReplaced(pod *corev1.Pod, owner *metav1.OwnerReference, timeout time.Duration, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return errCantFollow(pod, err)
	}
	return fmt.Errorf("pod/%s is quarantined, but after %s no replacement of %s is Ready. To see why: kubectl describe -n %s %s",
		pod.Name, timeout, ownerName(owner), pod.Namespace, strings.ToLower(ownerName(owner)))
}

const messageExtendArguments = "name one pod, and how long to keep it from now, such as 2d"

func errNotQuarantined(pod *corev1.Pod) error {
	return fmt.Errorf("pod/%s is not quarantined, and nothing was changed. To see the pods that are: kubectl isolate list -n %s", pod.Name, pod.Namespace)
}

func questionUnhold(view *pods.View) string {
	return fmt.Sprintf("The time of pod/%s was up at %s, so isolate deletes it as soon as the hold is removed. Remove the hold?",
		view.Pod.Name, view.Status.ExpiresAt.UTC().Format(time.RFC3339))
}

func questionRelease(view *pods.View) string {
	return fmt.Sprintf("Release pod/%s to %s?", view.Pod.Name, former(view))
}

func errDoctor(namespace string) error {
	return fmt.Errorf("a quarantine would not work in namespace %s: see FAILED above", namespace)
}
