package quarantine

import (
	"slices"
)

// The warnings of a write that quarantines a pod.

// quarantineWarnings says what the quarantine does and what to do next.
func (c *Config) quarantineWarnings(req Request, owner *Owner, record Record, e expiry, overridden []overriddenLabel, found advisories) []string {
	return bounded(slices.Concat(
		[]string{
			warnDetached(record),
			c.replacementFor(req, owner).sentence(),
			e.sentence(),
			warnHowToRelease(req.Old),
		},
		warnDeadline(req.Old, e),
		found.routes(),
		overriddenSentences(overridden),
		warnDroppedOwners(record),
		found.networkPolicies.sentences(),
		found.sentences(),
	))
}

func warnDetached(record Record) string {
	if len(record.DetachedFrom) == 0 {
		return "Quarantines the pod. Nothing selects it."
	}
	return listing("Detaches the pod from %s.", record.DetachedFrom, record.MoreDetachedFrom)
}

// warnDroppedOwners names the owners without the controller, which the warning about the
// replacement names.
func warnDroppedOwners(record Record) []string {
	var owners []string
	for _, ref := range record.OwnerReferences {
		if !isController(ref) {
			owners = append(owners, ownerOf(ref).String())
		}
	}
	if len(owners) == 0 {
		return nil
	}
	return []string{listing("Drops the ownerReferences to %s; a release restores those that still exist.", owners, 0)}
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

// sentences says that the pod may have more network access than before.
func (p networkPolicies) sentences() []string {
	switch {
	case len(p.lost) == 0 && len(p.gained) == 0:
		return nil
	case len(p.lost) == 0:
		return []string{warning("%s selects it while it is quarantined.", text(firstOf(p.gained)))}
	case len(p.current) == 0:
		return []string{warning("Leaves the pod without a NetworkPolicy: %s no longer selects it.", text(firstOf(p.lost)))}
	}
	return []string{warning("%s no longer selects it, %s does.", text(firstOf(p.lost)), text(firstOf(p.current)))}
}

// routes says how traffic still reaches the pod.
func (a advisories) routes() []string {
	var list []string
	for _, s := range a.slices {
		if s.ManagedBy == "" {
			list = append(list, warning("%s still lists this pod: it has no selector, and isolate can't change it.", s))
		} else {
			list = append(list, warning("%s still lists this pod: %s manages it, not a selector.", s, text(s.ManagedBy)))
		}
	}
	for _, s := range a.onPurpose {
		list = append(list, warning("%s selects quarantined pods: it sends traffic to this one.", s))
	}
	return list
}

// sentences says what a quarantine does not do and what it makes worse, the most important
// first.
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
	add(a.lastAvailable != nil && a.served, "This is the last available pod of %s: nothing serves until the replacement is Ready.", a.lastAvailable)
	add(a.lastAvailable != nil && !a.served, "This is the last available pod of %s.", a.lastAvailable)
	for _, budget := range a.exhausted {
		add(true, "%s allows no disruption at present; a quarantine ignores it.", budget)
	}
	for _, blocker := range a.blockers.phrases() {
		add(true, "Its replacement may not start while this pod exists: %s.", blocker)
	}
	add(a.redoneBy != nil, "%s will redo this pod's work.", a.redoneBy)
	add(a.livenessProbe, "Its liveness probe still restarts the container, which loses what is in memory.")
	add(a.openConnections, "Existing connections stay open.")
	add(a.dependents != "", "If the pod owns its %s, its deletion deletes them too.", a.dependents)
	for _, key := range a.overridden {
		add(true, "Overrides %s of the pod, which asks for its eviction, until it is released.", key)
	}
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
