package quarantine

// The warnings of a release.

// releaseWarnings says what the release restores and what the controller does then.
func releaseWarnings(status Status, adopted adoption, lost unrestored) []string {
	list := []string{warnReleased}
	switch {
	case status.State == Damaged:
		list[0] = warnDamaged
	case len(lost.Labels) > 0:
		list[0] = warnReleasedInPart
	}
	if sentence := adopted.sentence(); sentence != "" {
		list = append(list, sentence)
	}
	if keys := sortedKeys(lost.Labels); len(keys) > 0 {
		list = append(list, listing("Not restored, because changed since: label %s.", keys, 0))
	}
	if keys := sortedKeys(lost.Annotations); len(keys) > 0 {
		list = append(list, listing("Not restored, because changed since: annotation %s.", keys, 0))
	}
	if owners := lost.owners(); len(owners) > 0 {
		list = append(list, listing("Not restored, because isolate can't tell whether it still exists: owner %s.", owners, 0))
	}
	if !lost.empty() {
		list = append(list, "The annotation "+UnrestoredKey+" keeps what is not restored.")
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
