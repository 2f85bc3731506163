package quarantine

import (
	"fmt"
	"slices"
)

// The warnings of a write to a quarantined pod, and those that it shares with the write
// that quarantines.

// overriddenSentences names the labels of the write that isolate does not store.
func overriddenSentences(labels []overriddenLabel) []string {
	var list []string
	for _, l := range labels {
		switch {
		case l.by == nil && l.stored != nil:
			list = append(list, warning("Keeps label %s=%s: a quarantine rewrites it.", text(l.key), text(*l.stored)))
		case l.by == nil:
			list = append(list, warning("Removes label %s: a quarantine rewrites it.", text(l.key)))
		case l.stored != nil:
			list = append(list, warning("Keeps label %s=%s: %s selects pods by it.", text(l.key), text(*l.stored), l.by))
		default:
			list = append(list, warning("Removes label %s: %s selects pods by it.", text(l.key), l.by))
		}
	}
	return list
}

func (e expiry) sentence() string {
	switch e.change {
	case expiryScheduled:
		return fmt.Sprintf("Schedules its deletion for %s, in %s; %s=true keeps it.", e.at, shortDuration(e.in), HoldKey)
	case expiryHeld:
		return fmt.Sprintf("Holds the pod: isolate deletes it only after %s, once the hold is removed.", e.at)
	case expiryUnheld:
		return fmt.Sprintf("Removes the hold: isolate deletes the pod at %s.", e.at)
	case expiryNow:
		return "Removes the hold of an expired pod: isolate deletes it at once."
	case expiryExtended:
		return fmt.Sprintf("Reschedules its deletion for %s.", e.at)
	case expiryNotExtended:
		return fmt.Sprintf("Already kept longer than that: its deletion stays scheduled for %s.", e.at)
	case expiryUnchanged:
	}
	return ""
}

// warnDeadline says when the kubelet stops the pod, if that is before isolate deletes it.
func warnDeadline(pod *Pod, e expiry) []string {
	if ends, ok := pod.deadlineBefore(e); ok {
		return []string{fmt.Sprintf("The kubelet stops it at %s, its activeDeadlineSeconds; hold and extend do not change that.", stampUp(ends))}
	}
	return nil
}

func warnHowToRelease(pod *Pod) string {
	if sentence := "To release it: " + annotate(pod, TriggerKey+"-"); len(sentence) <= maxCommand {
		return sentence
	}
	return "To release it, remove its annotation " + TriggerKey + "."
}

// updateWarnings says what a write to a quarantined pod changes.
func updateWarnings(pod *Pod, d detachment, e expiry) []string {
	var list []string
	switch {
	case len(d.remaining) > 0:
		list = append(list, warning("%s selects this quarantined pod, and no label change detaches it.", d.remaining[0]))
	case len(d.selecting) > 0:
		list = append(list, listing("Detaches the pod again, from %s.", names(d.selecting), 0))
	}
	if sentence := e.sentence(); sentence != "" {
		list = append(list, sentence)
	}
	list = append(list, warnDeadline(pod, e)...)
	if d.ttl {
		list = append(list, "Ignores "+TTLKey+" on a quarantined pod. To keep it longer: "+annotate(pod, ExtendKey+"=24h"))
	}
	refused := overriddenSentences(d.overridden)
	for _, owner := range d.owners {
		refused = append(refused, warning("Drops the ownerReference to %s: a quarantined pod has no owner.", owner))
	}
	if d.record {
		refused = append(refused, "Keeps isolate's label and record, which this write leaves out.")
	}
	if len(refused) > 0 { // The command comes first, because a long list may be cut off.
		list = slices.Concat(list, refused[:1], []string{warnHowToRelease(pod)}, refused[1:])
	}
	return bounded(list)
}
