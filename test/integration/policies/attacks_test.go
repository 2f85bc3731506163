package policies

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

const longAgo = "2000-01-01T00:00:00Z"

// forgedRecord is complete and expired long ago.
var forgedRecord = all(
	annotate(quarantine.QuarantinedAtKey, longAgo), annotate(quarantine.ExpiresAtKey, longAgo),
	annotate(quarantine.QuarantinedByKey, "someone else"), annotate(quarantine.RecordKey, `{"labels":{"app":"other"}}`),
)

// attacks are changes that someone may try on a pod in any state.
var attacks = map[string]change{
	"quarantine":                            trigger,
	"quarantine with force":                 all(trigger, annotate(quarantine.ForceKey, quarantine.True)),
	"quarantine held":                       all(trigger, hold),
	"quarantine with a forged record":       all(trigger, setLabel, forgedRecord),
	"the label alone":                       setLabel,
	"the label, false":                      label(quarantine.QuarantinedLabel, quarantine.False),
	"the label with a forged record":        all(setLabel, forgedRecord),
	"a forged record alone":                 forgedRecord,
	"an earlier end":                        annotate(quarantine.ExpiresAtKey, longAgo),
	"a later end":                           annotate(quarantine.ExpiresAtKey, "2100-01-01T00:00:00Z"),
	"an end that is no time":                annotate(quarantine.ExpiresAtKey, "never"),
	"an earlier beginning":                  annotate(quarantine.QuarantinedAtKey, longAgo),
	"another requester":                     annotate(quarantine.QuarantinedByKey, "someone else"),
	"another record":                        annotate(quarantine.RecordKey, `{"labels":{"app":"other"}}`),
	"labels that a Service selects":         label("app", "web"),
	"such labels, and the trigger":          all(label("app", "web"), trigger),
	"an owner":                              addOwner,
	"an owner, and the trigger":             all(addOwner, trigger),
	"the hold withdrawn":                    dropAnnotation(quarantine.HoldKey),
	"the hold turned false":                 annotate(quarantine.HoldKey, quarantine.False),
	"the hold withdrawn with force":         all(dropAnnotation(quarantine.HoldKey), annotate(quarantine.ForceKey, quarantine.True)),
	"trigger and hold taken away":           all(release, dropAnnotation(quarantine.HoldKey)),
	"trigger turned false":                  annotate(quarantine.TriggerKey, quarantine.False),
	"the label taken away":                  dropLabel,
	"the end taken away":                    dropAnnotation(quarantine.ExpiresAtKey),
	"the record taken away":                 dropAnnotation(quarantine.RecordKey),
	"everything taken away by hand":         wipe,
	"another ttl":                           annotate(quarantine.TTLKey, "29d"),
	"an extension beyond the maximum":       annotate(quarantine.ExtendKey, "31d"),
	"a ttl beyond the maximum, at once":     all(trigger, annotate(quarantine.TTLKey, "31d")),
	"a word of isolate that does not exist": annotate(quarantine.Domain+"quarentine", quarantine.True),
}

// worst are the attacks to try where no attack can get through.
var worst = []string{"quarantine with a forged record", "labels that a Service selects", "trigger and hold taken away"}

func addOwner(pod *corev1.Pod) {
	pod.OwnerReferences = append(pod.OwnerReferences, metav1.OwnerReference{
		APIVersion: "v1", Kind: "ConfigMap", Name: "thief", UID: "8c1f1d0e-5b0a-4a3f-9f53-6e0a2f6d7c11",
	})
}

func wipe(pod *corev1.Pod) {
	dropLabel(pod)
	maps.DeleteFunc(pod.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, quarantine.Domain) })
}

// features describe what an attack changes on a pod. The rules match on them.
type features struct {
	triggers, withdrawsHold, releases bool
	keys, record, labels, removes     bool // isolate's keys, the record's keys, any label, anything but requests removed
	selected, owner, invalid          bool
}

var recordKeys = []string{quarantine.QuarantinedAtKey, quarantine.ExpiresAtKey, quarantine.QuarantinedByKey, quarantine.RecordKey}

func featuresOf(before, after *corev1.Pod) features {
	was, is := before.Annotations, after.Annotations
	const on = quarantine.True
	labelWas, labelIs := before.Labels[quarantine.QuarantinedLabel], after.Labels[quarantine.QuarantinedLabel]
	f := features{
		triggers: was[quarantine.TriggerKey] != on && is[quarantine.TriggerKey] == on,
		withdrawsHold: was[quarantine.TriggerKey] == on && is[quarantine.TriggerKey] == on &&
			was[quarantine.HoldKey] == on && is[quarantine.HoldKey] != on,
		releases: labelWas != "" && is[quarantine.TriggerKey] != on,
		labels:   !maps.Equal(before.Labels, after.Labels),
		record:   labelWas != labelIs,
		selected: after.Labels["app"] == "web" && before.Labels["app"] != "web",
		owner:    len(after.OwnerReferences) > len(before.OwnerReferences),
	}
	for _, key := range recordKeys {
		f.record = f.record || was[key] != is[key]
		f.removes = f.removes || was[key] != "" && is[key] == ""
	}
	f.removes = f.removes || labelWas != "" && labelIs == ""
	f.keys = f.record
	for key := range merged(was, is) {
		f.keys = f.keys || isolates[key] && was[key] != is[key]
	}
	tooLong := func(key string) bool { return was[key] != is[key] && is[key] == "31d" }
	f.invalid = tooLong(quarantine.TTLKey) || tooLong(quarantine.ExtendKey)
	return f
}

// isolates are the keys that isolate reads. A misspelt key is an ordinary annotation.
var isolates = map[string]bool{
	quarantine.TriggerKey: true, quarantine.TTLKey: true, quarantine.ExtendKey: true, quarantine.HoldKey: true,
	quarantine.ReasonKey: true, quarantine.ForceKey: true, quarantine.RecheckKey: true,
}

func merged(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	if both == nil {
		both = map[string]string{}
	}
	maps.Copy(both, b)
	return both
}
