package quarantine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Every sentence that a person reads stands in this file. Warnings have at most
// maxWarning characters, the rest must say what to do next.
const maxWarning = 120

// maxWarnings is how many there are at most in one answer.
const maxWarnings = 8

const (
	warnCreated    = "isolate's annotations were removed: a new pod can't be quarantined, annotate it once it exists."
	warnDeleting   = "This pod is already being deleted: it is not quarantined, and nothing keeps it."
	warnExtendFree = "This pod is not quarantined, so there is nothing to extend; the annotation was removed."

	problemBudget = "must be a whole number, 0 for no limit"
	problemPrefix = "must have 1 to 32 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"
	problemKey    = "must be the key of a label, such as team or example.com/team"

	problemTTLKept       = "is read when the pod is quarantined, and this one is already; to keep it longer, set " + ExtendKey + " instead"
	problemSwitch        = `must be "true" or "false"`
	problemForce         = `must be "true"; it goes by itself once it has been read`
	problemCreated       = "a pod can't be created quarantined; create it without this label, then set the annotation " + TriggerKey + "=true"
	problemLabelConflict = "has to be rewritten to take the pod out of what selects it, and this request changes it itself; " +
		"quarantine the pod in a request of its own"
	problemOwnerConflict = "a quarantined pod has no owner, and this request adds one; quarantine the pod in a request of its own"
)

var errDuration = errors.New("must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small")

func errDurationRange(most time.Duration) error {
	return fmt.Errorf("must be at least %s and at most %s", shortDuration(MinTTL), shortDuration(most))
}

func forbiddenLabel(value string) *field.Error {
	return field.Invalid(labelPath(QuarantinedLabel), clip(value), problemCreated)
}

func messageRecordProtected(pod string) string {
	return fmt.Sprintf("only isolate writes the label %s and the record's annotations; to quarantine the pod: kubectl annotate pod %s %s=true",
		QuarantinedLabel, pod, TriggerKey)
}

func messageRecordKept(pod *Pod) string {
	return fmt.Sprintf("only isolate changes the record of a quarantined pod; nothing was changed. "+
		"To keep the pod longer: %s. To release it: %s", annotate(pod, ExtendKey+"=24h"), annotate(pod, TriggerKey+"-"))
}

func messageRecordDamaged(pod *Pod) string {
	return fmt.Sprintf("the record of pod %s is damaged, and only isolate writes it; nothing was changed. "+
		"To release the pod: %s", pod.Name, annotate(pod, TriggerKey+"-"))
}

func messageReselected(pod *Pod, by *SelectingObject) string {
	return fmt.Sprintf("with these labels %s would select pod %s, which is quarantined; nothing was changed. To release it: %s",
		by, pod.Name, annotate(pod, TriggerKey+"-"))
}

func messageOwnerAdded(pod *Pod, ref *metav1.OwnerReference) string {
	return fmt.Sprintf("pod %s is quarantined and has no owner; %s/%s can't become one, nothing was changed. To release the pod: %s",
		pod.Name, ref.Kind, ref.Name, annotate(pod, TriggerKey+"-"))
}

func messageHeld(pod *Pod, f fate) string {
	what := "deletes this pod"
	if f.outcome == maybeDeleted || f.outcome == unreadyGoFirst {
		what = "may delete this pod"
	}
	why := "has one pod too many"
	if f.outcome == notWanted {
		why = "wants no pods"
	}
	return fmt.Sprintf("pod %s is held, and once it is released %s %s and %s; nothing was changed. "+
		"To release it anyway: %s", pod.Name, f.controller, why, what, annotate(pod, TriggerKey+"-", ForceKey+"=true"))
}

func messageMirrorPod(pod *Pod) string {
	return fmt.Sprintf("pod %s is a static pod: its kubelet runs it from a file and doesn't look at its labels, so nothing was changed. "+
		"Move its manifest away on the node instead", pod.Name)
}

func messageStatefulSet(pod *Pod, owner *Owner) string {
	return fmt.Sprintf("%s can't start a replacement as long as pod %s has the name: the set would stay one pod short until this one is gone. "+
		"Nothing was changed. %s", owner, pod.Name, goAhead(pod))
}

func messageHostPort(pod *Pod, owner *Owner) string {
	return fmt.Sprintf("pod %s has a port of its node, so %s can't start a replacement beside it: the node would go without until this one is gone. "+
		"Nothing was changed. %s", pod.Name, owner, goAhead(pod))
}

func messageUnknownController(pod *Pod, owner *Owner) string {
	return fmt.Sprintf("pod %s belongs to %s, a kind that isolate does not know: it may not replace the pod, or may take it back. "+
		"Nothing was changed. With every label rewritten, it leaves whatever selects it. %s", pod.Name, owner, goAhead(pod))
}

func messageBudget(pod *Pod, of string, quarantined, budget int) string {
	return fmt.Sprintf("%d pods of %s are quarantined already, and %d may be: whatever finds them broken may be mistaken, "+
		"and would take every replacement in turn. Nothing was changed. To see them: kubectl get pods -n %s -l %s. %s",
		quarantined, of, budget, pod.Namespace, QuarantinedLabel, goAhead(pod))
}

func goAhead(pod *Pod) string {
	return "To go ahead anyway: " + annotate(pod, TriggerKey+"=true", ForceKey+"=true")
}

// annotate is the command that changes these annotations.
func annotate(pod *Pod, annotations ...string) string {
	return fmt.Sprintf("kubectl annotate pod -n %s %s %s", pod.Namespace, pod.Name, strings.Join(annotations, " "))
}

func messageInescapable(pod *Pod, by *SelectingObject) string {
	return fmt.Sprintf("no change of its labels takes pod %s out of %s, so nothing was changed. "+
		"Have that selector require a value of some label, then try again", pod.Name, by)
}

// quarantineWarnings tells what was done and what to do next.
func (r *Config) quarantineWarnings(req Request, record Record, expires time.Time, told outcomes) []string {
	warnings := []string{
		warnLetGo(record.DetachedFrom),
		warnReplacement(req),
		warnExpiry(expires, expires.Sub(req.Time), req.New.Annotations[HoldKey] == True),
		warnRelease(req.Old),
	}
	warnings = append(warnings, told.sentences()...)
	for _, budget := range told.budgets {
		warnings = append(warnings, fit(fmt.Sprintf("%s goes on counting this pod as healthy: its selector can't be escaped.", budget)))
	}
	warnings = append(warnings, cautions(req)...)
	warnings = append(warnings, r.limits(req)...)
	return warnings[:min(len(warnings), maxWarnings)]
}

// cautions say what a quarantine doesn't do, or makes worse, the important first.
func cautions(req Request) []string {
	pod, owner := req.Old, req.Old.controller()
	var sentences []string
	add := func(applies bool, format string, args ...any) {
		if applies {
			sentences = append(sentences, fit(fmt.Sprintf(format, args...)))
		}
	}
	if owner != nil {
		known := req.Selectors.Lookup(owner.Kind, owner.Name)
		add(known != nil && known.Desired > 0 && known.Available <= 1 && pod.Status.ready(),
			"Nothing serves until the replacement is Ready: it was the last available pod of %s.", owner)
		for _, obstacle := range pod.obstacles() {
			add(true, "Its replacement may not start while this pod runs: %s.", obstacle)
		}
		add(owner.Kind == KindJob, "%s does the work of this pod a second time.", owner)
	}
	add(pod.Spec.probed(), "Its liveness probe still restarts the container, and a restart loses what is in memory.")
	add(isServed(req), "Connections that are open stay open.")
	return sentences
}

// limits say that the next quarantine may be refused, and what of the namespace's
// settings counts for nothing.
func (r *Config) limits(req Request) []string {
	var sentences []string
	if top := topController(req); top != nil && r.ControllerBudget > 0 {
		if now := r.controlled(req, top) + 1; now >= r.ControllerBudget {
			sentences = append(sentences, warnBudgetUsed(top.String(), now, r.ControllerBudget))
		}
	}
	if now := req.Quarantined.All() + 1; r.NamespaceBudget > 0 && now >= r.NamespaceBudget {
		sentences = append(sentences, warnBudgetUsed("the namespace", now, r.NamespaceBudget))
	}
	for _, key := range r.unread {
		sentences = append(sentences, fmt.Sprintf("The namespace's %s has a bad value, so it does not count.", key))
	}
	return sentences
}

func warnBudgetUsed(of string, now, budget int) string {
	return fit(fmt.Sprintf("%d pods of %s are quarantined now, and %d may be: the next takes %s=true.", now, of, budget, ForceKey))
}

// sentences say that the pod is less isolated from the network than before.
func (p policies) sentences() []string {
	switch {
	case len(p.lost) == 0:
		return nil
	case len(p.kept) == 0:
		return []string{fit(fmt.Sprintf("Its network is open now: %s no longer selects it, and no other does.", listed(p.lost)))}
	}
	return []string{fit(fmt.Sprintf("%s no longer selects it, %s does.", listed(p.lost), listed(p.kept)))}
}

// listed names the first, and how many more there are.
func listed(selectors []*SelectingObject) string {
	if more := len(selectors) - 1; more > 0 {
		return fmt.Sprintf("%s (and %d more)", selectors[0], more)
	}
	return selectors[0].String()
}

func warnLetGo(names []string) string {
	if len(names) == 0 {
		return "Quarantined. Nothing selected this pod."
	}
	for n := len(names); n > 0; n-- {
		list := strings.Join(names[:n], ", ")
		if n < len(names) {
			list += fmt.Sprintf(" and %d more", len(names)-n)
		}
		if sentence := fmt.Sprintf("Quarantined: out of %s.", list); len(sentence) <= maxWarning {
			return sentence
		}
	}
	return fmt.Sprintf("Quarantined: out of all %d that selected it.", len(names))
}

func warnReplacement(req Request) string {
	owner := req.Old.controller()
	if owner == nil {
		return "No controller owns this pod, so no replacement starts."
	}
	known := req.Selectors.Lookup(owner.Kind, owner.Name)
	switch {
	case known == nil:
		return fit(fmt.Sprintf("%s is not known to isolate: check whether it starts a replacement.", owner))
	case req.Old.Status.finished():
		return fit(fmt.Sprintf("The pod has finished already: nothing of it runs, and %s may not replace it.", owner))
	case known.Desired == 0:
		return fit(fmt.Sprintf("%s wants no pods, so no replacement starts.", owner))
	case owner.Kind == KindStatefulSet:
		return fit(fmt.Sprintf("%s can't start a replacement until this pod is gone: its name is taken.", owner))
	}
	return fit(fmt.Sprintf("%s starts a replacement.", owner))
}

func warnExpiry(expires time.Time, in time.Duration, held bool) string {
	if held {
		return fmt.Sprintf("It is held: isolate deletes it once hold is gone and %s has passed.", stampUp(expires))
	}
	return fmt.Sprintf("It keeps running and is deleted at %s, in %s; %s=true keeps it.",
		stampUp(expires), shortDuration(in), HoldKey)
}

func warnRelease(pod *Pod) string {
	for _, format := range []string{
		"To release it: kubectl annotate pod -n %[2]s %[1]s %[3]s-",
		"To release it: kubectl annotate pod %[1]s %[3]s-",
	} {
		if sentence := fmt.Sprintf(format, pod.Name, pod.Namespace, TriggerKey); len(sentence) <= maxWarning {
			return sentence
		}
	}
	return "To release it, remove its annotation " + TriggerKey + "."
}

func warnTakenOutAgain(by []*SelectingObject) string {
	return fit(fmt.Sprintf("Taken out again: %s had come to select this pod.", strings.Join(names(by), ", ")))
}

func warnStillSelected(by *SelectingObject) string {
	return fit(fmt.Sprintf("%s selects this quarantined pod, and no change of its labels takes it out.", by))
}

// keepWarnings says when the pod will be deleted now, where this request has
// changed that.
func keepWarnings(req Request, expires string) []string {
	held, holds := req.Old.Annotations[HoldKey] == True, req.New.Annotations[HoldKey] == True
	_, extends := req.New.Annotations[ExtendKey]
	if !extends && held == holds && expires == req.Old.Annotations[ExpiresAtKey] {
		return nil
	}
	at, err := time.Parse(time.RFC3339, expires)
	switch {
	case err != nil:
		return nil
	case holds:
		return []string{warnExpiry(at, 0, true)}
	case !req.Time.Before(at):
		return []string{"No longer held, and its time is up: it is deleted at once."}
	case extends && expires == req.Old.Annotations[ExpiresAtKey]:
		return []string{fmt.Sprintf("It is kept longer than that already: it is deleted at %s, in %s.", expires, left(at, req.Time))}
	}
	return []string{fmt.Sprintf("It is deleted at %s, in %s.", expires, left(at, req.Time))}
}

func left(at, now time.Time) string { return shortDuration(at.Sub(now).Truncate(time.Second)) }

// releaseWarnings say what becomes of the pod.
func releaseWarnings(status Status, f fate, lost []metav1.OwnerReference) []string {
	warnings := []string{warnReleased(status)}
	if sentence := f.sentence(); sentence != "" {
		warnings = append(warnings, fit(sentence))
	}
	for i := range lost {
		warnings = append(warnings, fit(fmt.Sprintf("Not put back: the ownerReference to %s/%s, which isolate can't tell to exist.",
			lost[i].Kind, lost[i].Name)))
	}
	return warnings[:min(len(warnings), maxWarnings)]
}

func warnReleased(status Status) string {
	if status.State == Damaged {
		return "Released, but its record was damaged: check labels and annotations, not all could be put back."
	}
	return "Released: it has its labels back, and what selects by them selects it again."
}

func (f fate) sentence() string {
	switch f.outcome {
	case surelyDeleted:
		return fmt.Sprintf("%s has one pod too many: this one will be deleted at once.", f.controller)
	case notWanted:
		return fmt.Sprintf("%s wants no pods: this one will be deleted at once.", f.controller)
	case unreadyGoFirst:
		return fmt.Sprintf("%s has one pod too many and deletes one, first of all one that isn't Ready.", f.controller)
	case notSelected:
		return fmt.Sprintf("%s no longer selects this pod, so nobody owns it: delete it when you are done.", f.controller)
	case ended:
		return fmt.Sprintf("%s has ended and takes no pod back: delete this one when you are done.", f.controller)
	case takesNoFinished:
		return fmt.Sprintf("%s takes no pod back that has finished: delete it when you are done.", f.controller)
	case maybeDeleted:
		return fmt.Sprintf("%s has one pod too many and deletes one: it may be this one.", f.controller)
	case replacementGoes:
		return fmt.Sprintf("%s takes it back and deletes the replacement.", f.controller)
	case takenBack:
		return fmt.Sprintf("%s takes it back.", f.controller)
	case controllerUnknown:
		return fmt.Sprintf("%s is not known to isolate: check whether it takes the pod back.", f.controller)
	default: // staysAlone, below.
	}
	if f.controller != nil {
		return fmt.Sprintf("%s is gone, so nobody owns this pod: delete it when you are done.", f.controller)
	}
	return ""
}

// fit cuts a sentence to the length of a warning.
func fit(sentence string) string {
	if runes := []rune(sentence); len(runes) > maxWarning {
		return string(runes[:maxWarning-1]) + "…"
	}
	return sentence
}
