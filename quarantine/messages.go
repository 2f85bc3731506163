package quarantine

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The sentences of warnings. A later webhook, a policy or a conflict may still keep the
// write from being stored, so they say what this write does, not what has happened.

const (
	// maxWarning is the longest warning, and maxCommand the longest one with a command,
	// in characters. The API server truncates warnings to 256 if there are many.
	maxWarning = 120
	maxCommand = 256

	// maxWarnings is how many warnings one answer has at most.
	maxWarnings = 8

	// minName is how much of an object's name a warning keeps, in characters.
	minName = 24

	// maxQuotedValue is how much of a value in a request an answer repeats.
	maxQuotedValue = 64
)

const (
	warnCreated     = "Removes isolate's annotations: a new pod can't be quarantined, annotate it once it exists."
	warnTerminating = "This pod is already terminating: it is not quarantined and will still be deleted."
	warnExtendFree  = "Removes the annotation " + ExtendKey + ": this pod is not quarantined, so there is nothing to extend."
	warnExpiredNow  = "Removes the hold of an expired pod: isolate deletes it at once."
	warnDamaged     = "Releases the pod, but its record is damaged: check labels and annotations, not all can be restored."
	warnReleased    = "Releases the pod: restores its labels, so their selectors match it again."
)

// quarantineWarnings says what the quarantine does and what to do next.
func quarantineWarnings(req Request, record Record, expires time.Time, found advisories) []string {
	return bounded(slices.Concat(
		[]string{
			warnDetached(record.DetachedFrom),
			replacementFor(req).sentence(),
			warnExpiry(expires, expires.Sub(req.Time), req.New.Annotations[HoldKey] == True),
			warnHowToRelease(req.Old),
		},
		found.networkPolicies.sentences(),
		found.sentences(),
	))
}

func warnDetached(from []string) string {
	if len(from) == 0 {
		return "Quarantines the pod. Nothing selects it."
	}
	return listing("Detaches the pod from %s.", from)
}

func (r replacement) sentence() string {
	switch r.forecast {
	case noController:
		return "No controller owns this pod, so no replacement starts."
	case unknownToIsolate:
		return warning("%s is not known to isolate: check whether it starts a replacement.", r.controller)
	case podFinished:
		return warning("The pod has already finished, and %s may not replace it.", r.controller)
	case controllerAtZero:
		return warning("%s is scaled to zero, so no replacement starts.", r.controller)
	case nameTaken:
		return warning("%s can't start a replacement until this pod is gone: both need the same name.", r.controller)
	case startsReplacement:
	}
	return warning("%s should start a replacement.", r.controller)
}

func warnExpiry(expires time.Time, in time.Duration, held bool) string {
	if held {
		return fmt.Sprintf("Holds the pod: isolate deletes it only after %s, once the hold is removed.", stampUp(expires))
	}
	return fmt.Sprintf("Schedules its deletion for %s, in %s; %s=true keeps it.",
		stampUp(expires), shortDuration(in), HoldKey)
}

func warnHowToRelease(pod *Pod) string {
	if sentence := "To release it: " + annotate(pod, TriggerKey+"-"); len(sentence) <= maxCommand {
		return sentence
	}
	return "To release it, remove its annotation " + TriggerKey + "."
}

// sentences says that the pod may have more network access than before.
func (p networkPolicies) sentences() []string {
	switch {
	case len(p.lost) == 0:
		return nil
	case len(p.current) == 0:
		return []string{warning("Leaves the pod without a NetworkPolicy: %s no longer selects it.", firstOf(p.lost))}
	}
	return []string{warning("%s no longer selects it, %s does.", firstOf(p.lost), firstOf(p.current))}
}

// sentences says what a quarantine doesn't do or makes worse, the most important first.
func (a advisories) sentences() []string {
	var list []string
	add := func(applies bool, format string, args ...any) {
		if applies {
			list = append(list, warning(format, args...))
		}
	}
	for _, budget := range a.budgets {
		add(true, "%s still counts this pod as healthy: no label change makes its selector stop matching.", budget)
	}
	add(a.lastAvailable != nil, "This is the last available pod of %s: nothing serves until the replacement is Ready.", a.lastAvailable)
	for _, blocker := range a.blockers.phrases() {
		add(true, "Its replacement may not start while this pod exists: %s.", blocker)
	}
	add(a.redoneBy != nil, "%s will redo this pod's work.", a.redoneBy)
	add(a.livenessProbe, "Its liveness probe still restarts the container, which loses what is in memory.")
	add(a.openConnections, "Existing connections stay open.")
	for _, use := range a.used {
		add(true, "The next one needs %s=true: this is number %d of at most %d quarantined pods of %s.", ForceKey, use.count.total()+1, use.limit, use)
	}
	for _, key := range a.invalidKeys {
		add(true, "The namespace's %s is invalid and was ignored.", key)
	}
	return list
}

func (u budgetUse) String() string {
	if u.owner == nil {
		return "the namespace"
	}
	return u.owner.String()
}

func (b replacementBlockers) phrases() []string {
	var list []string
	for _, key := range b.topologies {
		list = append(list, "its anti-affinity excludes it from the same "+key)
	}
	for _, claim := range b.claims {
		list = append(list, "it uses PersistentVolumeClaim/"+claim)
	}
	if b.hostPort {
		list = append(list, "it uses a host port")
	}
	return list
}

// updateWarnings says what a write to a quarantined pod changes.
func updateWarnings(selecting, left []*SelectingObject, e expiry) []string {
	var list []string
	switch {
	case len(left) > 0:
		list = append(list, warning("%s selects this quarantined pod, and no label change detaches it.", left[0]))
	case len(selecting) > 0:
		list = append(list, listing("Detaches the pod again, from %s.", names(selecting)))
	}
	at := stamp(e.at)
	switch e.change {
	case expiryHeld:
		list = append(list, warnExpiry(e.at, 0, true))
	case expiryNow:
		list = append(list, warnExpiredNow)
	case expiryLater:
		list = append(list, fmt.Sprintf("Already kept longer than that: its deletion stays scheduled for %s.", at))
	case expiryUnheld:
		list = append(list, fmt.Sprintf("Removes the hold: isolate deletes the pod at %s.", at))
	case expiryExtended:
		list = append(list, fmt.Sprintf("Reschedules its deletion for %s.", at))
	case expiryUnchanged:
	}
	return bounded(list)
}

// releaseWarnings says what the release restores and what the controller does then.
func releaseWarnings(status Status, adopted adoption, lost []metav1.OwnerReference) []string {
	list := []string{warnReleased}
	if status.State == Damaged {
		list[0] = warnDamaged
	}
	if sentence := adopted.sentence(); sentence != "" {
		list = append(list, sentence)
	}
	for _, ref := range lost {
		list = append(list, warning("Not restored: the ownerReference to %s, because isolate can't tell whether it still exists.", ownerOf(ref)))
	}
	return bounded(list)
}

func (a adoption) sentence() string {
	switch a.effect {
	case deletesPod:
		return warning("%s has one pod too many: it will delete this pod at once.", a.controller)
	case scaledToZero:
		return warning("%s is scaled to zero: it will delete this pod at once.", a.controller)
	case deletesUnreadyFirst:
		return warning("%s has one pod too many and deletes pods that are not Ready first.", a.controller)
	case mayDeletePod:
		return warning("%s has one pod too many and deletes one, maybe this one.", a.controller)
	case deletesReplacement:
		return warning("%s adopts it and deletes the replacement.", a.controller)
	case adoptsPod:
		return warning("%s adopts it.", a.controller)
	case notSelected:
		return warning("%s no longer selects this pod, so nothing controls it: delete it when you are done.", a.controller)
	case jobEnded:
		return warning("%s has ended and adopts no pods: delete this one when you are done.", a.controller)
	case finishedNotAdopted:
		return warning("%s adopts no finished pods: delete this one when you are done.", a.controller)
	case controllerUnknown:
		return warning("%s is not known to isolate: check whether it adopts the pod.", a.controller)
	case noAdoption:
	}
	if a.controller != nil {
		return warning("%s is gone, so nothing controls this pod: delete it when you are done.", a.controller)
	}
	return ""
}

// listing names as many of a list as fit, and counts the others.
func listing(format string, list []string) string {
	for n := len(list); n > 0; n-- {
		if sentence := fmt.Sprintf(format, enumerate(list[:n], len(list)-n)); len(sentence) <= maxWarning {
			return sentence
		}
	}
	return fmt.Sprintf(format, fmt.Sprintf("%d objects", len(list)))
}

// enumerate joins a list, and the number of those that it leaves out: "a, b and 3 more".
func enumerate(list []string, more int) string {
	if more > 0 {
		list = append(slices.Clone(list), fmt.Sprintf("%d more", more))
	}
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

// firstOf names the first object and counts the others.
func firstOf(objects []*SelectingObject) string {
	if more := len(objects) - 1; more > 0 {
		return fmt.Sprintf("%s (and %d more)", objects[0], more)
	}
	return objects[0].String()
}

// warning fills in a sentence. If that is too long, it cuts the names of objects, not the
// sentence.
func warning(format string, args ...any) string {
	sentence := fmt.Sprintf(format, args...)
	for i, arg := range args {
		excess := utf8.RuneCountInString(sentence) - maxWarning
		if name, ok := arg.(fmt.Stringer); ok && excess > 0 {
			args[i] = truncate(name.String(), max(len(name.String())-excess, minName))
			sentence = fmt.Sprintf(format, args...)
		}
	}
	return truncate(sentence, maxWarning)
}

func bounded(warnings []string) []string { return warnings[:min(len(warnings), maxWarnings)] }

// truncate cuts a text to this many characters.
func truncate(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
