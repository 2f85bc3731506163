package quarantine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Every sentence that a person reads stands in this file. Warnings have at most
// maxWarning characters, the rest must say what to do next.
const maxWarning = 120

const (
	warnCreated    = "isolate's annotations were removed: a new pod can't be quarantined, annotate it once it exists."
	warnDeleting   = "This pod is already being deleted: it is not quarantined, and nothing keeps it."
	warnExtendFree = "This pod is not quarantined, so there is nothing to extend; the annotation was removed."

	problemSwitch        = `must be "true" or "false"`
	problemForce         = `must be "true"; it goes by itself once it has been read`
	problemCreated       = "a pod can't be created quarantined; create it without this label, then set the annotation " + TriggerKey + "=true"
	problemLabelConflict = "has to be rewritten to take the pod out of what selects it, and this request changes it itself; " +
		"quarantine the pod in a request of its own"
	problemOwnerConflict = "a quarantined pod has no owner, and this request adds one; quarantine the pod in a request of its own"
)

var errDuration = errors.New("must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small")

func forbiddenLabel(value string) *field.Error {
	return field.Invalid(labelPath(LabelKey), clip(value), problemCreated)
}

func messageRecordProtected(pod string) string {
	return fmt.Sprintf("only isolate writes the label %s and the record's annotations; to quarantine the pod: kubectl annotate pod %s %s=true",
		LabelKey, pod, TriggerKey)
}

func messageInescapable(pod *Pod, by *Selector) string {
	return fmt.Sprintf("no change of its labels takes pod %s out of %s, so nothing was changed. "+
		"Have that selector require a value of some label, then try again", pod.Name, by)
}

// quarantineWarnings tells what was done and what to do next.
func (r *Rules) quarantineWarnings(req Request, record Record, expires time.Time, budgets []*Selector) []string {
	warnings := []string{
		warnLetGo(record.LetGo),
		warnReplacement(req),
		warnExpiry(expires, expires.Sub(req.Time), req.New.Annotations[HoldKey] == True),
		warnRelease(req.Old),
	}
	for _, budget := range budgets {
		warnings = append(warnings, fit(fmt.Sprintf("%s goes on counting this pod as healthy: its selector can't be escaped.", budget)))
	}
	return warnings
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
	switch {
	case owner == nil:
		return "No controller owns this pod, so no replacement starts."
	case req.Selectors.Lookup(owner.Kind, owner.Name) == nil:
		return fit(fmt.Sprintf("%s is not known to isolate: check whether it starts a replacement.", owner))
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

// fit cuts a sentence to the length of a warning.
func fit(sentence string) string {
	if runes := []rune(sentence); len(runes) > maxWarning {
		return string(runes[:maxWarning-1]) + "…"
	}
	return sentence
}
