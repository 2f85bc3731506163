package quarantine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"
)

// A mutation is one difference between quarantines: in the stored pod, in what the request
// changes besides the trigger, or in what selects the pod.
type mutation struct {
	name   string
	stored func(*Metadata)
	asked  func(*Metadata)
	also   *SelectingObject
}

var mutations = []mutation{
	{name: "empty and long values", stored: func(m *Metadata) { label("empty", "")(m); label("long", strings.Repeat("l", 63))(m) },
		also: selects(KindService, "odd", equals("empty", ""), exists("long"))},
	{name: "selected by existence", stored: label("exists", "x"), also: selects(KindReplicaSet, "exists", exists("exists"))},
	{name: "selected once rewritten", also: selects(KindReplicaSet, "notin", notIn("component", "api-springboot"), exists("release"))},
	{name: "selected once removed", also: selects(KindReplicaSet, "absent", absent("exists"), equals("pod-template-hash", "5d4f8"))},
	{name: "in", also: selects(KindJob, "in", require("release", selection.In, "login-audit-trail-service", "other"))},
	{name: "a PodDisruptionBudget for all pods", also: selects(KindPodDisruptionBudget, "all", labels.Requirements{}...)},
	{name: "an unknown controller", stored: controller("apps.kruise.io/v1", "CloneSet", "web"), asked: annotation(ForceKey, "true")},
	{name: "no owner", stored: withoutOwner()},
	{name: "an existing hint", stored: annotation(KarpenterHint, "false")},
	{name: "Argo CD", stored: func(m *Metadata) {
		label(InstanceLabel, "shop")(m)
		annotation(ArgoTrackingKey, "shop")(m)
		owner("v1", "ConfigMap", "x")(m)
	}},
	{name: "another mutator sets labels and an owner", asked: func(m *Metadata) {
		label("note", "x")(m)
		label("team", "shop")(m)
		label("component", "other")(m)
		owner("v1", "ConfigMap", "added")(m)
	}, also: selects(KindService, "shop", equals("team", "shop"))},
	{name: "force, hold, ttl and extend", asked: func(m *Metadata) {
		annotation(ForceKey, "true")(m)
		annotation(HoldKey, "true")(m)
		annotation(TTLKey, "1h")(m)
		annotation(ExtendKey, "2h")(m)
	}},
	{name: "a forged record", asked: func(m *Metadata) {
		label(QuarantinedLabel, "false")(m)
		annotation(RecordKey, `{"labels":{"release":"forged"},"later":1}`)(m)
		annotation(ExpiresAtKey, "1970-01-01T00:00:00Z")(m)
		annotation(QuarantinedByKey, "someone else")(m)
	}},
}

// TestInvariants tries every subset of the mutations.
func TestInvariants(t *testing.T) {
	config := DefaultConfig()
	for set := range 1 << len(mutations) {
		before, selectors := pod(), incident()
		asked := []func(*Metadata){trigger}
		var names []string
		for i, m := range mutations {
			if set&(1<<i) == 0 {
				continue
			}
			names = append(names, m.name)
			if m.stored != nil {
				m.stored(&before.Metadata)
			}
			if m.asked != nil {
				asked = append(asked, m.asked)
			}
			if m.also != nil {
				selectors = append(selectors, m.also)
			}
		}
		req := update(selectors, before, asked...)
		if problem := violation(t, &config, req); problem != "" {
			t.Fatalf("with %s: %s", strings.Join(names, ", "), problem)
		}
	}
}

// violation returns the invariant that this quarantine violates, or "".
func violation(t testing.TB, config *Config, req Request) string {
	decision := config.Decide(req)
	if decision.Action != ActionQuarantine {
		return fmt.Sprintf("%s: %+v", decision.Action, decision.Denial)
	}
	for _, operation := range decision.Patch {
		if !strings.HasPrefix(operation.Path, "/metadata/") || operation.Op == "test" {
			return fmt.Sprintf("operation %+v", operation)
		}
	}
	stored := apply(t, req.New, decision)
	for _, s := range req.Selectors.Matching(stored.Labels) {
		if s.Kind != KindPodDisruptionBudget {
			return fmt.Sprintf("%s matches %v", s, stored.Labels)
		}
	}
	if len(stored.OwnerReferences) > 0 {
		return fmt.Sprintf("owners remain: %v", stored.OwnerReferences)
	}
	for key, value := range stored.Labels {
		if problems := validation.IsValidLabelValue(value); problems != nil {
			return fmt.Sprintf("label %s=%q: %v", key, value, problems)
		}
	}
	if problem := recordViolation(req, stored); problem != "" {
		return problem
	}
	if problem := againViolation(t, config, req, stored); problem != "" {
		return problem
	}
	return releaseViolation(t, config, req, stored)
}

// releaseViolation checks that a release restores the pod, and that it needs force only for
// a held pod that a controller would or might delete.
func releaseViolation(t testing.TB, config *Config, req Request, stored *Metadata) string {
	held := stored.Annotations[HoldKey] == True && mightBeDeleted(req)
	release := update(req.Selectors, &Pod{Metadata: *stored}, annotation(TriggerKey, "false"))
	delete(release.New.Annotations, ForceKey)
	unforced := config.Decide(release)
	switch refused := unforced.Denial != nil; {
	case refused != held, refused && unforced.Denial.Reason != ReasonHeld:
		return fmt.Sprintf("release without force, held %t: %+v", held, unforced.Denial)
	case refused:
		annotation(ForceKey, True)(release.New)
	}
	released := apply(t, release.New, config.Decide(release))
	want := clone(&req.Old.Metadata)
	for key, value := range req.New.Labels {
		if stored.Labels[key] == value && key != QuarantinedLabel {
			want.Labels[key] = value // set together with the trigger
		}
	}
	want.OwnerReferences = nil
	got := clone(released)
	delete(got.Annotations, UnrestoredKey) // Owners, which isolate can't look up here.
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return "the release does not restore the original:\n" + diff
	}
	again := release
	again.New = clone(released)
	if diff := cmp.Diff(clone(released), clone(apply(t, again.New, config.Decide(again)))); diff != "" {
		return "releasing again changes something:\n" + diff
	}
	return ""
}

// mightBeDeleted reports whether a controller adopts the pod with its original labels, or
// might. All controllers here have their desired number of pods, so it then deletes the
// pod, which is not Ready.
func mightBeDeleted(req Request) bool {
	if owner := req.Old.controllerRef(); owner != nil && owner.Kind.Kind == "CloneSet" {
		return true // isolate does not know what its controller does.
	}
	labels := maps.Clone(req.Old.Labels)
	for key, value := range req.New.Labels {
		if _, had := labels[key]; !had && key != QuarantinedLabel {
			labels[key] = value // set in the request that quarantines
		}
	}
	return slices.ContainsFunc(req.Selectors.Matching(labels), func(s *SelectingObject) bool {
		return s.Kind == KindReplicaSet || s.Kind == KindJob
	})
}

// recordViolation checks that the record describes the stored pod.
func recordViolation(req Request, stored *Metadata) string {
	status := StatusOf(stored.Labels, stored.Annotations)
	if status.State != Quarantined {
		return fmt.Sprintf("the record is unreadable: %v", status.Problem)
	}
	restored := maps.Clone(req.Old.Labels)
	for key := range req.Old.Labels {
		switch now, ok := stored.Labels[key]; {
		case !ok:
			delete(restored, key)
		case now != req.New.Labels[key]: // The write itself may change a label that stays.
			restored[key] = now
		}
	}
	maps.Copy(restored, status.Record.Labels)
	if diff := cmp.Diff(req.Old.Labels, restored); diff != "" {
		return "the recorded labels do not give the original back:\n" + diff
	}
	owners := slices.Clone(req.Old.OwnerReferences)
	for _, ref := range req.New.OwnerReferences {
		if !slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.UID == ref.UID }) {
			owners = append(owners, ref)
		}
	}
	if diff := cmp.Diff(owners, status.Record.OwnerReferences, cmpopts.EquateEmpty()); diff != "" {
		return "recorded owners:\n" + diff
	}
	if status.By != req.User {
		return "quarantined by " + status.By
	}
	return ""
}

// againViolation decides a second time, on the first answer and a moment later, as the API
// server does if another webhook changed the pod.
func againViolation(t testing.TB, config *Config, req Request, stored *Metadata) string {
	first := clone(stored)
	again := req
	again.New = clone(stored)
	if again.New.Annotations == nil {
		again.New.Annotations = map[string]string{}
	}
	annotation("added-by", "another webhook")(again.New)
	annotation("added-by", "another webhook")(first)
	again.Time = again.Time.Add(2 * time.Second)
	decision := config.Decide(again)
	if diff := cmp.Diff(first, clone(apply(t, again.New, decision))); diff != "" {
		return "deciding again changes something:\n" + diff
	}
	// The labels that the first call overrode are gone in the second, which may therefore have
	// room for another warning.
	warnings := slices.DeleteFunc(config.Decide(req).Warnings, func(warning string) bool {
		return strings.Contains(warning, "selects pods by it")
	})
	if diff := cmp.Diff(warnings, decision.Warnings[:min(len(warnings), len(decision.Warnings))]); diff != "" {
		return "deciding again says something else:\n" + diff
	}
	return ""
}
