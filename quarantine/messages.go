package quarantine

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
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
	warnCreated        = "Removes isolate's annotations: a new pod can't be quarantined, annotate it once it exists."
	warnTerminating    = "This pod is already terminating: it is not quarantined and will still be deleted."
	warnHoldFree       = "This pod is not quarantined: " + HoldKey + " has no effect until it is."
	warnTTLFree        = "This pod is not quarantined: " + TTLKey + " has no effect until it is."
	warnReleaseFree    = "This pod is not quarantined, so there is nothing to release."
	warnExtendFree     = "Removes the annotation " + ExtendKey + ": this pod is not quarantined, so there is nothing to extend."
	warnDamaged        = "Releases the pod, but its record is damaged: check labels and annotations, not all can be restored."
	warnReleased       = "Releases the pod: restores its labels, so their selectors match it again."
	warnReleasedInPart = "Releases the pod: restores its labels as far as they have not changed since."
)

// warnNoEffect says that requests for a terminating pod change nothing.
func warnNoEffect(pod *Pod, now time.Time, keys []string) string {
	has, ends := "has", "ends"
	if len(keys) > 1 {
		has = "have"
	}
	if !now.Before(*pod.DeletionTimestamp) {
		ends = "ended"
	}
	return fmt.Sprintf("This pod is already terminating: %s %s no effect. Its grace period %s at %s.",
		enumerate(keys, 0), has, ends, stamp(*pod.DeletionTimestamp))
}

// listing names as many objects of a list as fit, and counts the others, some of which may
// be missing from the list.
func listing(format string, list []string, more int) string {
	for n := len(list); n > 0; n-- {
		if sentence := fmt.Sprintf(format, enumerate(list[:n], len(list)-n+more)); len(sentence) <= maxWarning {
			return sentence
		}
	}
	if total := len(list) + more; total > 1 {
		return fmt.Sprintf(format, fmt.Sprintf("%d objects", total))
	}
	return warning(format, text(list[0]))
}

// text is an argument of a warning that may be cut.
type text string

func (t text) String() string { return string(t) }

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
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
