package quarantine

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// FuzzDecide decides on arbitrary annotations and labels: it never panics, and no
// selector matches a pod that is quarantined.
func FuzzDecide(f *testing.F) {
	f.Add("true", "24h", "", "", "web", "front", "app in (web),tier", "{}", "2026-03-14T15:09:26Z")
	f.Add("true", "1d12h", "2h", "true", "", "x", "app,!tier", `{"labels":{"app":"x"}}`, "")
	f.Add("false", "-1h", "∞", "maybe", strings.Repeat("a", 63), "", "tier notin (x)", `{"labels":[]}`, "soon")
	f.Add("True", "0", "1y", "", "quarantined-web", "front", "isolate.example.io/quarantined", "null", "2026-03-14T15:09:26+25:00")
	f.Fuzz(func(t *testing.T, quarantine, ttl, extend, hold, app, tier, selector, record, expires string) {
		for _, value := range []string{app, tier} {
			if validation.IsValidLabelValue(value) != nil {
				return
			}
		}
		requirements, err := labels.ParseToRequirements(selector)
		if err != nil {
			return
		}
		selectors := namespace{
			selects(KindReplicaSet, "fuzzed", requirements...),
			selects(KindService, "app", equals("app", app)),
		}
		before := pod(withoutOwner(), label("app", app), label("tier", tier))
		config := DefaultConfig()
		req := update(selectors, before, annotation(TriggerKey, quarantine), annotation(TTLKey, ttl),
			annotation(ExtendKey, extend), annotation(HoldKey, hold), annotation(RecordKey, record), annotation(ExpiresAtKey, expires))
		decision := config.Decide(req)
		if decision.Action == ActionQuarantine {
			if problem := violation(t, &config, req); problem != "" {
				t.Fatal(problem)
			}
		}
		// The same annotations, but already stored.
		before.Annotations = req.New.Annotations
		config.Decide(update(selectors, before, annotation("other", "x")))
	})
}

// FuzzRecord reads arbitrary values of the record.
func FuzzRecord(f *testing.F) {
	f.Add(`{"labels":{"app":"web"},"detachedFrom":["Service/web"],"later":{"a":1}}`)
	f.Add(`{"ownerReferences":[{"uid":"x"}],"annotations":{"a":null}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, value string) {
		annotations := map[string]string{
			RecordKey: value, QuarantinedByKey: "", QuarantinedAtKey: "2026-03-14T15:09:26Z", ExpiresAtKey: "2026-03-14T15:09:26Z",
		}
		status := StatusOf(map[string]string{QuarantinedLabel: QuarantinedValue}, annotations)
		if status.State == Damaged {
			return
		}
		annotations[RecordKey] = status.Record.String()
		again := StatusOf(map[string]string{QuarantinedLabel: QuarantinedValue}, annotations)
		if again.State != Quarantined || again.Record.String() != status.Record.String() {
			t.Fatalf("%q is read as %s and then as %s", value, status.Record, again.Record)
		}
	})
}
