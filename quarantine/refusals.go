package quarantine

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Refusal is a row of the table of refusals, which docs/reference.md and docs/tools.md repeat.
type Refusal struct {
	Reason Reason

	// Refused is what is refused, and Why is the reason, both as Markdown.
	Refused, Why string

	// Later is when the same write may succeed without force, as Markdown, or empty if
	// never. docs/tools.md repeats it.
	Later string

	// ForcePasses says that the annotation [ForceKey] passes the refusal.
	ForcePasses bool

	// Force adds a condition or consequence of force, or is empty.
	Force string
}

// quarantineRefusal is a refusal of the write that quarantines.
type quarantineRefusal struct {
	Refusal
	applies func(attempt) bool
	message func(attempt) string
}

// quarantineRefusals are tried from the top. Those that force does not pass come first:
// the others' messages advise force.
var quarantineRefusals = []quarantineRefusal{
	{Refusal{
		Reason:  ReasonMirrorPod,
		Refused: "a static pod",
		Why:     "its kubelet runs it from a file and ignores its labels",
	}, attempt.isMirrorPod, messageMirrorPod},
	{Refusal{
		Reason:  ReasonInescapable,
		Refused: "a pod that a selector matches whatever its labels are",
		Why:     "no label change helps; the message names the selector",
		Later:   "when the selector requires the value of a label",
	}, attempt.isInescapable, messageInescapable},
	{Refusal{
		Reason:  ReasonAnnotationsTooLarge,
		Refused: "a pod whose annotations would exceed 262,144 bytes with the record, the limit of the API server",
		Why:     "the API server would refuse the write; the message names the largest annotations",
		Later:   "when annotations are removed from the pod",
	}, attempt.exceedsAnnotationLimit, messageAnnotationsTooLarge},
	{Refusal{
		Reason:      ReasonStatefulSet,
		Refused:     "a StatefulSet's pod",
		Why:         "its name stays taken, so no replacement can start until it is gone",
		ForcePasses: true,
	}, attempt.isOfStatefulSet, messageStatefulSet},
	{Refusal{
		Reason:      ReasonHostPort,
		Refused:     "a DaemonSet's pod with a host port or the host network",
		Why:         "the replacement cannot start on the same node",
		ForcePasses: true,
	}, attempt.keepsHostPort, messageHostPort},
	{Refusal{
		Reason:      ReasonUnknownController,
		Refused:     "a pod of a controller that isolate does not know",
		Why:         "it might not replace the pod, or might adopt it again. `--replacing-kind` names kinds that replace",
		Later:       "when isolate is told that its kind replaces pods",
		ForcePasses: true,
		Force:       "with every label rewritten",
	}, attempt.hasUnknownController, messageUnknownController},
	{Refusal{
		Reason:      ReasonControllerBudget,
		Refused:     "a pod beyond its controller's budget",
		Why:         "a faulty detector would go on to quarantine every replacement",
		Later:       "when one of the quarantined pods is released or gone",
		ForcePasses: true,
	}, attempt.exceedsControllerBudget, messageControllerBudget},
	{Refusal{
		Reason:      ReasonNamespaceBudget,
		Refused:     "a pod beyond its namespace's budget",
		Why:         "the same",
		Later:       "when one of the quarantined pods is released or gone",
		ForcePasses: true,
	}, attempt.exceedsNamespaceBudget, messageNamespaceBudget},
}

// otherRefusals are the refusals of other writes. Their conditions are in the files that
// decide those writes.
var otherRefusals = []Refusal{
	{
		Reason:      ReasonHeld,
		Refused:     "releasing a held pod that its controller would or might delete, as any controller might that isolate does not know",
		Why:         "the evidence would be lost",
		Later:       "once the hold was withdrawn in an earlier write, after which an expired pod is deleted",
		ForcePasses: true,
	},
	{
		Reason:  ReasonReattached,
		Refused: "a quarantine of a pod that something after isolate's webhook attaches again, by a label or an owner",
		Why:     "the pod would stay attached; the message names the label and the object that selects by it",
		Later:   "when whatever attaches the pod is changed",
	},
	{
		Reason:  ReasonInvalidValue,
		Refused: "a request key with a value that it does not accept",
		Why:     "the message says what it accepts",
	},
	{
		Reason:  ReasonMisplacedKey,
		Refused: "one of isolate's annotations as a label, or its label as an annotation",
		Why:     "it would do nothing; the message has the command that works",
	},
	{
		Reason:  ReasonRecordProtected,
		Refused: "changing the label or the record",
		Why:     "only isolate writes them",
	},
	{
		Reason:  ReasonCreatedQuarantined,
		Refused: "creating a pod with the label `quarantined`",
		Why:     "it would be quarantined without a record",
	},
}

// Refusals returns the table.
func Refusals() []Refusal {
	var all []Refusal
	for _, r := range quarantineRefusals {
		all = append(all, r.Refusal)
	}
	return append(all, otherRefusals...)
}

// attempt is a quarantine that is about to be decided.
type attempt struct {
	req        Request
	controller *Owner

	// config is the configuration of the pod's namespace.
	config *Config

	// forced says that the write has [ForceKey].
	forced bool

	// blocking are the objects that select the pod whatever its labels are.
	blocking []*SelectingObject

	// annotations are those that would be stored.
	annotations map[string]string
}

// refusal returns the denial by the first refusal that applies, or nil.
func (a attempt) refusal() *Denial {
	for _, r := range quarantineRefusals {
		if (a.forced && r.ForcePasses) || !r.applies(a) {
			continue
		}
		return &Denial{Reason: r.Reason, Message: r.message(a), Field: annotationPath(TriggerKey).String()}
	}
	return nil
}

func (a attempt) isMirrorPod() bool {
	_, ok := a.req.Old.Annotations[corev1.MirrorPodAnnotationKey]
	return ok
}

func (a attempt) isInescapable() bool { return len(a.blocking) > 0 }

func (a attempt) exceedsAnnotationLimit() bool {
	return annotationBytes(a.annotations) > maxAnnotationBytes
}

// maxAnnotationBytes is TotalAnnotationSizeLimitB of the API server's validation.
const maxAnnotationBytes = 256 << 10

// annotationBytes counts as the API server does.
func annotationBytes(annotations map[string]string) int {
	total := 0
	for key, value := range annotations {
		total += len(key) + len(value)
	}
	return total
}

func (a attempt) isOfStatefulSet() bool {
	return a.controller != nil && a.controller.Kind == KindStatefulSet
}

func (a attempt) keepsHostPort() bool {
	return a.controller != nil && a.controller.Kind == KindDaemonSet &&
		!a.req.Old.Status.finished() && a.req.Old.Spec.usesHostPort()
}

func (a attempt) hasUnknownController() bool {
	return a.controller != nil && !slices.Contains(a.config.ReplacingKinds, a.controller.Kind) &&
		(!canAdopt(a.controller.Kind) || a.managedBy() != "")
}

// managedBy returns the controller that manages the pod's Job in place of Kubernetes' own, or
// "".
func (a attempt) managedBy() string {
	if known := lookup(a.req.Selectors, a.controller); known != nil {
		return known.ManagedBy
	}
	return ""
}

func (a attempt) exceedsControllerBudget() bool {
	return a.config.controllerBudget(a.req, a.controller).exceeded()
}

func (a attempt) exceedsNamespaceBudget() bool { return a.config.namespaceBudget(a.req).exceeded() }
