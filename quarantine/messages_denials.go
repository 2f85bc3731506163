package quarantine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The sentences of denials. Each says why, and what to do instead.

const (
	problemBudget = "must be a whole number, 0 for no limit"
	problemPrefix = "must have 1 to 32 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"
	problemKey    = "must be the key of a label, such as team or example.com/team"

	problemSwitch  = `must be "true" or "false"`
	problemForce   = `must be "true"; isolate removes it after reading it`
	problemCreated = "a pod can't be created quarantined; create it without this label, then set the annotation " + TriggerKey + "=true"
)

var errDuration = errors.New("must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small")

func errDurationRange(most time.Duration) error {
	return fmt.Errorf("must be at least %s and at most %s", shortDuration(MinTTL), shortDuration(most))
}

func createdQuarantined(value string) *field.Error {
	return field.Invalid(labelPath(QuarantinedLabel), truncate(value, maxQuotedValue), problemCreated)
}

// problemIsAnnotation advises the annotation. A label value needs no quotes in a shell.
func problemIsAnnotation(pod *Pod, key, value string) string {
	return "is an annotation of isolate's, not a label. Set it with: " + annotate(pod, key+"="+value)
}

func problemIsLabel(pod *Pod) string {
	return "is a label that only isolate sets. To quarantine the pod: " + annotate(pod, TriggerKey+"=true")
}

func messageRecordProtected(pod *Pod) string {
	return fmt.Sprintf("only isolate writes the label %s and the annotations of its record. Nothing was changed. To quarantine the pod: %s",
		QuarantinedLabel, annotate(pod, TriggerKey+"=true"))
}

func messageRecordKept(pod *Pod) string {
	return fmt.Sprintf("only isolate changes the record of a quarantined pod. Nothing was changed. "+
		"To keep the pod longer: %s. To release it: %s", annotate(pod, ExtendKey+"=24h"), annotate(pod, TriggerKey+"-"))
}

func messageRecordDamaged(pod *Pod) string {
	return fmt.Sprintf("the record of pod %s is damaged, and only isolate writes it. Nothing was changed. "+
		"To release the pod: %s", pod.Name, annotate(pod, TriggerKey+"-"))
}

func messageHeld(pod *Pod, a adoption) string {
	return fmt.Sprintf("pod %s is held, but once it is released, %s. Nothing was changed. To release it anyway: %s",
		pod.Name, a.deletion(), annotate(pod, TriggerKey+"-", ForceKey+"=true"))
}

// deletion says why the controller may delete the released pod.
func (a adoption) deletion() string {
	switch a.effect {
	case scaledToZero:
		return fmt.Sprintf("%s, which is scaled to zero, deletes it", a.controller)
	case mayDeletePod, deletesUnreadyFirst:
		return fmt.Sprintf("%s has one pod too many and may delete this one", a.controller)
	case controllerUnknown:
		return fmt.Sprintf("%s, which isolate does not know, may adopt and delete it", a.controller)
	default:
		return fmt.Sprintf("%s has one pod too many and deletes this one", a.controller)
	}
}

func messageMirrorPod(a attempt) string {
	return fmt.Sprintf("pod %s is a static pod: its kubelet runs it from a file and ignores its labels. Nothing was changed. "+
		"Move its manifest away on the node instead", a.req.Old.Name)
}

func messageInescapable(a attempt) string {
	return fmt.Sprintf("no label change detaches pod %s from %s. Nothing was changed. "+
		"Make that selector require a specific label value, then retry", a.req.Old.Name, a.blocking[0])
}

func messageAnnotationsTooLarge(a attempt) string {
	size := annotationBytes(a.annotations)
	return fmt.Sprintf("with isolate's record, the annotations of pod %s have %d bytes, %d more than the API server allows. "+
		"Nothing was changed. Shorten or remove one of the largest, then retry: %s",
		a.req.Old.Name, size, size-maxAnnotationBytes, strings.Join(largestAnnotations(a.req.New), ", "))
}

// largestAnnotations returns the largest annotations that are not isolate's, as "key (bytes)".
func largestAnnotations(pod *Metadata) []string {
	const most = 3
	others := maps.Clone(pod.Annotations)
	maps.DeleteFunc(others, func(key, _ string) bool { return strings.HasPrefix(key, Domain) })
	keys := slices.SortedFunc(maps.Keys(others), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(pod.Annotations[b]), len(pod.Annotations[a])), strings.Compare(a, b))
	})
	keys = keys[:min(len(keys), most)]
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%s (%d bytes)", key, len(pod.Annotations[key]))
	}
	return keys
}

const howToFindMutators = "Nothing was changed. To find what runs after isolate's webhook: " +
	"kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies; have it leave out pods with the label " + QuarantinedLabel

func messageRecordNotStored(pod *Metadata, problem error) string {
	return fmt.Sprintf("something that runs after isolate's webhook changes the record of pod %s: %v. %s", pod.Name, problem, howToFindMutators)
}

func messageOwnerReattached(pod *Metadata, owner *Owner) string {
	return fmt.Sprintf("something that runs after isolate's webhook gives pod %s the owner %s. %s", pod.Name, owner, howToFindMutators)
}

func (r reattachment) message() string {
	if r.key == "" {
		return fmt.Sprintf("%s has come to select pod %s while it was being quarantined. Nothing was changed; retry", r.by, r.pod.Name)
	}
	what := "removes label " + r.key
	if r.value != nil {
		what = fmt.Sprintf("sets label %s=%s", r.key, *r.value)
	}
	if len(r.managers) > 0 {
		what += fmt.Sprintf(" (field manager %s)", enumerate(r.managers, 0))
	}
	return fmt.Sprintf("something that runs after isolate's webhook %s, by which %s would still select pod %s. %s", what, r.by, r.pod.Name, howToFindMutators)
}

func messageStatefulSet(a attempt) string {
	return fmt.Sprintf("%s can't start a replacement while pod %s exists, because the replacement needs the same name. "+
		"Nothing was changed. %s", a.controller, a.req.Old.Name, proceed(a.req.Old))
}

func messageHostPort(a attempt) string {
	return fmt.Sprintf("pod %s uses a host port, so %s can't run a replacement on the same node until this pod is gone. "+
		"Nothing was changed. %s", a.req.Old.Name, a.controller, proceed(a.req.Old))
}

func messageUnknownController(a attempt) string {
	if manager := a.managedBy(); manager != "" {
		return fmt.Sprintf("pod %s belongs to %s, which %s manages: it might not replace the pod, or might adopt it again. "+
			"Nothing was changed. With force, isolate rewrites every label of the pod. %s",
			a.req.Old.Name, a.controller, truncate(manager, maxQuotedValue), proceed(a.req.Old))
	}
	return fmt.Sprintf("pod %s belongs to %s, a kind that isolate does not know: it might not replace the pod, or might adopt it again. "+
		"Nothing was changed. With force, isolate rewrites every label of the pod. %s", a.req.Old.Name, a.controller, proceed(a.req.Old))
}

func messageControllerBudget(a attempt) string {
	use := a.config.controllerBudget(a.req, a.controller)
	return messageBudget(a, use, use.owner.String())
}

func messageNamespaceBudget(a attempt) string {
	return messageBudget(a, a.config.namespaceBudget(a.req), "namespace "+a.req.Old.Namespace)
}

func messageBudget(a attempt, use budgetUse, of string) string {
	if use.count.InFlight > 0 {
		return messageBudgetInFlight(a, use, of)
	}
	return fmt.Sprintf("%d of at most %d pods of %s are already quarantined. "+
		"A faulty detector would go on to quarantine every replacement. Nothing was changed. "+
		"To list them: kubectl get pods -n %s -l %s. %s",
		use.count.Quarantined, use.limit, of, a.req.Old.Namespace, QuarantinedLabel, proceed(a.req.Old))
}

// messageBudgetInFlight is the message while some of the pods are only admitted: their
// writes may still be refused by something else, so a retry may succeed.
func messageBudgetInFlight(a attempt, use budgetUse, of string) string {
	return fmt.Sprintf("%d of at most %d pods of %s are already quarantined, and the quarantine of %d more is in flight. "+
		"A faulty detector would go on to quarantine every replacement. Nothing was changed. "+
		"In a few seconds only stored quarantines count: retry then. To list them: kubectl get pods -n %s -l %s. %s",
		use.count.Quarantined, use.limit, of, use.count.InFlight, a.req.Old.Namespace, QuarantinedLabel, proceed(a.req.Old))
}

func proceed(pod *Pod) string {
	return "To proceed anyway: " + annotate(pod, TriggerKey+"=true", ForceKey+"=true")
}

// annotate returns the command that changes these annotations.
func annotate(pod *Pod, annotations ...string) string {
	return "kubectl annotate pod -n " + pod.Namespace + " " + pod.Name + " " + strings.Join(annotations, " ")
}
