package admission

import (
	"slices"

	"isolate.example.io/quarantine"
)

// CEL expressions for when third parties act.
const (
	isQuarantined  = "'isolate.example.io/quarantined' in object.metadata.?labels.orValue({})"
	wasQuarantined = "oldObject != null && 'isolate.example.io/quarantined' in oldObject.metadata.?labels.orValue({})"
	quarantines    = isQuarantined + " && !(" + wasQuarantined + ")"
)

// mutators are tested in every position of a mutator.
var mutators = []thirdParty{
	// A policy that sets a label which a Service selects by: Kyverno's add-labels.
	{name: "sets-team", change: change{labels: map[string]string{"team": "shop"}}},
	// The same for a label that the pod did not have.
	{name: "adds-tier", change: change{labels: map[string]string{"tier": "gold"}}},
	// A tool that restores labels.
	{name: "restores-app", when: isQuarantined, change: change{labels: map[string]string{"app": "web"}}},
	// A tool that restores them in later writes.
	{name: "reclaims-app", when: wasQuarantined, change: change{labels: map[string]string{"app": "web"}}},
	{name: "reclaims-team", when: wasQuarantined, change: change{labels: map[string]string{"team": "shop"}}},
	// A sanitizer.
	{name: "removes-team", change: change{noLabels: []string{"team"}}},
	{name: "removes-hold", change: change{noAnnotations: []string{quarantine.HoldKey}}},
	{name: "removes-label", removesRecord: true, when: isQuarantined, change: change{noLabels: []string{quarantine.QuarantinedLabel}}},
	{name: "removes-record", removesRecord: true, when: isQuarantined, change: change{noAnnotations: []string{quarantine.RecordKey}}},
	// An operator.
	{name: "adds-owner", change: change{owner: true}},
	{name: "adopts", when: wasQuarantined, change: change{owner: true, controls: true}},
	{name: "adds-finalizer", change: change{finalizer: true}},
	{name: "drops-finalizers", change: change{dropFinalizers: true}},
	// A mesh.
	{name: "injects", change: change{annotations: map[string]string{domain + "injected": "true"}, labels: map[string]string{"mesh": "on"}}},
	{name: "counts", change: change{counts: true}},
	// Defaults of a platform.
	{name: "lets-evict", change: change{annotations: map[string]string{quarantine.AutoscalerHint: "true", quarantine.KarpenterHint: "false"}}},
	{name: "sets-ttl", when: isQuarantined, change: change{annotations: map[string]string{quarantine.TTLKey: "1h"}}},
	{name: "triggers", when: wasQuarantined, change: change{annotations: map[string]string{quarantine.TriggerKey: quarantine.True}}},
	// A scanner.
	{name: "slow", slow: true, change: change{annotations: map[string]string{domain + "scanned": "true"}}},
}

// validators are tested as a policy and as a webhook.
var validators = []thirdParty{
	{name: "refuses-values", refuses: true, when: "!(object.metadata.?labels[?'team'].orValue('shop') in ['shop', 'payments'])", refusesSweeper: true},
	{name: "refuses-quarantine", refuses: true, when: quarantines},
	{name: "refuses-orphans", refuses: true, when: "has(oldObject.metadata.ownerReferences) && !has(object.metadata.ownerReferences)"},
	{name: "refuses-hold", refuses: true, when: "object.metadata.?annotations[?'isolate.example.io/hold'].orValue('') == 'true'"},
	{name: "refuses-changes", refuses: true, when: isQuarantined + " && " + wasQuarantined, refusesSweeper: true},
	{name: "refuses-release", refuses: true, when: "!(" + isQuarantined + ") && " + wasQuarantined},
	{name: "slow", slow: true},
}

// Probes show that the API server calls all the third parties.
const probeKey = domain + "probe"

var probes = []thirdParty{
	{name: "probe.policy", position: policy, change: change{annotations: map[string]string{domain + "policy": "asked"}}},
	{name: "probe.after", position: after, change: change{annotations: map[string]string{domain + "after": "asked"}}},
	{name: "probe-refuses.policy", position: policy, refuses: true, when: "object.metadata.?annotations[?'" + probeKey + "'].orValue('') == 'policy'"},
	{name: "probe-refuses.validating", position: validating, refuses: true, when: "object.metadata.?annotations[?'" + probeKey + "'].orValue('') == 'webhook'"},
}

// thirdParties returns all third parties to combine.
func thirdParties() []thirdParty {
	var all []thirdParty
	at := func(o thirdParty, positions ...position) {
		for _, p := range positions {
			if p == policy && o.slow {
				continue // A policy can't be slow.
			}
			o := o
			o.position = p
			o.name += "." + string(p)
			all = append(all, o)
		}
	}
	for _, o := range mutators {
		at(o, policy, before, beforeAgain, after, afterAgain)
	}
	for _, o := range validators {
		at(o, policy, validating)
	}
	return slices.Clip(all)
}
