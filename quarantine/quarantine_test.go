package quarantine

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/utils/ptr"
)

func TestQuarantineTakesThePodOut(t *testing.T) {
	rules := DefaultRules()
	req := update(incident(), pod(), trigger)
	stored := apply(t, req.New, rules.Decide(req))

	wantLabels := map[string]string{
		"component":         "quarantined-api-springboot",
		"release":           "quarantined-login-audit-trail-service",
		"pod-template-hash": "quarantined-5d4f8",
		LabelKey:            "true",
	}
	if diff := cmp.Diff(wantLabels, stored.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	wantAnnotations := map[string]string{
		TriggerKey:       "true",
		QuarantinedAtKey: "2026-03-14T15:09:26Z",
		ExpiresAtKey:     "2026-03-15T15:09:27Z",
		QuarantinedByKey: "jane",
		KarpenterHint:    "true",
		AutoscalerHint:   "false",
		RecordKey: `{"labels":{"component":"api-springboot","pod-template-hash":"5d4f8","release":"login-audit-trail-service"},` +
			`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"login-audit-trail-service-5d4f8",` +
			`"uid":"uid-login-audit-trail-service-5d4f8","controller":true,"blockOwnerDeletion":true}],` +
			`"annotations":{"cluster-autoscaler.kubernetes.io/safe-to-evict":null,"karpenter.sh/do-not-disrupt":null},` +
			`"rewritten":{"component":"quarantined-api-springboot","pod-template-hash":"quarantined-5d4f8","release":"quarantined-login-audit-trail-service"},"letGo":["Service/login-audit-trail-service","Service/metrics","ReplicaSet/login-audit-trail-service-5d4f8"]}`,
	}
	if diff := cmp.Diff(wantAnnotations, stored.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if len(stored.OwnerReferences) != 0 {
		t.Errorf("ownerReferences = %v, want none", stored.OwnerReferences)
	}
}

func TestQuarantineSaysWhatItDidAndWhatToDoNext(t *testing.T) {
	rules := DefaultRules()
	tests := []struct {
		name string
		req  Request
		want []string
	}{
		{
			name: "a Deployment's pod",
			req:  update(incident(), pod(), trigger),
			want: []string{
				"Quarantined: out of Service/login-audit-trail-service, Service/metrics, ReplicaSet/login-audit-trail-service-5d4f8.",
				"ReplicaSet/login-audit-trail-service-5d4f8 starts a replacement.",
				"It keeps running and is deleted at 2026-03-15T15:09:27Z, in 1d; isolate.example.io/hold=true keeps it.",
				"To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-",
				"Connections that are open stay open.",
			},
		},
		{
			name: "a pod of nobody, held, with a ttl",
			req: update(namespace{}, pod(withoutOwner()), trigger, annotation(TTLKey, "1d12h"),
				annotation(HoldKey, "true")),
			want: []string{
				"Quarantined. Nothing selected this pod.",
				"No controller owns this pod, so no replacement starts.",
				"It is held: isolate deletes it once hold is gone and 2026-03-16T03:09:27Z has passed.",
				"To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-",
			},
		},
		{
			name: "a budget that selects everything, and a ReplicaSet that is known no more",
			req:  update(namespace{selects(KindPodDisruptionBudget, "all", labels.Requirements{}...)}, pod(), trigger),
			want: []string{
				"Quarantined: out of ReplicaSet/login-audit-trail-service-5d4f8.",
				"ReplicaSet/login-audit-trail-service-5d4f8 is not known to isolate: check whether it starts a replacement.",
				"It keeps running and is deleted at 2026-03-15T15:09:27Z, in 1d; isolate.example.io/hold=true keeps it.",
				"To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-",
				"PodDisruptionBudget/all goes on counting this pod as healthy: its selector can't be escaped.",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rules.Decide(tt.req).Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarningsFit(t *testing.T) {
	rules := DefaultRules()
	long := strings.Repeat("x", 253)
	named := func(m *Metadata) {
		m.Name, m.Namespace = long, long[:63]
		m.OwnerReferences[0].Name = long
	}
	services := namespace{selects(KindReplicaSet, long, exists("release"))}
	for _, name := range []string{"a", "b", "c", long} {
		services = append(services, selects(KindService, name+long[:40], exists("release")))
	}
	decision := rules.Decide(update(services, pod(named), trigger))
	if n := len(decision.Warnings); n == 0 || n > 8 {
		t.Fatalf("%d warnings, want 1 to 8: %q", n, decision.Warnings)
	}
	for _, warning := range decision.Warnings {
		if n := utf8.RuneCountInString(warning); n > 120 {
			t.Errorf("a warning of %d characters, want at most 120: %s", n, warning)
		}
	}
}

// TestEscape holds the fixpoint: what has to happen to the labels of a pod so
// that nothing selects it.
func TestEscape(t *testing.T) {
	const gone = "<removed>"
	long := strings.Repeat("v", 63)
	tests := []struct {
		name      string
		labels    map[string]string
		selectors namespace
		rules     func(*Rules)
		want      map[string]string // the labels that change
		refusedBy string
	}{
		{
			name:   "nothing selects it",
			labels: map[string]string{"app": "web"},
			want:   map[string]string{},
		},
		{
			name:      "a selector that does not match leaves its keys alone",
			labels:    map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{selects(KindService, "db", equals("app", "db"), equals("tier", "front"))},
			want:      map[string]string{},
		},
		{
			name:      "all keys of a selector",
			labels:    map[string]string{"app": "web", "tier": "front", "team": "x"},
			selectors: namespace{selects(KindService, "web", equals("app", "web"), equals("tier", "front"))},
			want:      map[string]string{"app": "quarantined-web", "tier": "quarantined-front"},
		},
		{
			name:   "several selectors, by different keys",
			labels: map[string]string{"app": "web", "canary": "yes"},
			selectors: namespace{
				selects(KindService, "web", equals("app", "web")),
				selects(KindService, "canary", equals("canary", "yes")),
			},
			want: map[string]string{"app": "quarantined-web", "canary": "quarantined-yes"},
		},
		{
			name:      "in",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindReplicaSet, "web", require("app", selection.In, "web", "www"))},
			want:      map[string]string{"app": "quarantined-web"},
		},
		{
			name:      "exists beside equals is escaped by values",
			labels:    map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{selects(KindReplicaSet, "web", exists("app"), equals("tier", "front"))},
			want:      map[string]string{"app": "quarantined-web", "tier": "quarantined-front"},
		},
		{
			name:      "exists alone is escaped by removal",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindReplicaSet, "web", exists("app"))},
			want:      map[string]string{"app": gone},
		},
		{
			name:      "of two keys that only have to exist, one goes",
			labels:    map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{selects(KindReplicaSet, "web", exists("app"), exists("tier"))},
			want:      map[string]string{"app": gone, "tier": "quarantined-front"},
		},
		{
			name:   "the other one, where the first would be selected for its absence",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindReplicaSet, "web", exists("app"), exists("tier")),
				selects(KindReplicaSet, "no-app", absent("app")),
			},
			want: map[string]string{"tier": gone},
		},
		{
			name:      "notin beside equals",
			labels:    map[string]string{"app": "web", "env": "prod"},
			selectors: namespace{selects(KindReplicaSet, "web", equals("app", "web"), notIn("env", "test"))},
			want:      map[string]string{"app": "quarantined-web"},
		},
		{
			name:   "notin that begins to match through the rewrite",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindService, "web", equals("app", "web")),
				selects(KindReplicaSet, "others", equals("tier", "front"), notIn("app", "web")),
			},
			want: map[string]string{"app": "quarantined-web", "tier": "quarantined-front"},
		},
		{
			name:   "a key goes back where only its change is selected",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindService, "web", equals("app", "web"), equals("tier", "front")),
				selects(KindReplicaSet, "others", notIn("app", "web")),
			},
			want: map[string]string{"tier": "quarantined-front"},
		},
		{
			name:   "doesNotExist that begins to match through a removal",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindReplicaSet, "web", exists("app")),
				selects(KindReplicaSet, "rest", absent("app"), equals("tier", "front")),
			},
			want: map[string]string{"app": gone, "tier": "quarantined-front"},
		},
		{
			name:   "exists and doesNotExist of one key: no way out",
			labels: map[string]string{"app": "web"},
			selectors: namespace{
				selects(KindReplicaSet, "has", exists("app")),
				selects(KindReplicaSet, "rest", absent("app")),
			},
			refusedBy: "ReplicaSet/has",
		},
		{
			name:      "notin of a key the pod never had: no way out",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindReplicaSet, "all", notIn("env", "test"))},
			refusedBy: "ReplicaSet/all",
		},
		{
			name:      "our own label can't be escaped",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindService, "debug", equals(LabelKey, LabelValue))},
			refusedBy: "Service/debug",
		},
		{
			name:      "a budget is escaped like any other",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindPodDisruptionBudget, "web", equals("app", "web"))},
			want:      map[string]string{"app": "quarantined-web"},
		},
		{
			name:   "a budget without a way out does not stand in the way of the rest",
			labels: map[string]string{"app": "web"},
			selectors: namespace{
				selects(KindReplicaSet, "web", exists("app")),
				selects(KindPodDisruptionBudget, "rest", notIn("app", "web")),
			},
			want: map[string]string{"app": gone},
		},
		{
			name:   "Argo CD's label goes too",
			labels: map[string]string{InstanceLabel: "shop"},
			want:   map[string]string{InstanceLabel: "quarantined-shop"},
		},
		{
			name:   "and the keys that a flag names",
			labels: map[string]string{"mesh": "on"},
			rules:  func(r *Rules) { r.ExtraKeys = []string{"mesh", "none"} },
			want:   map[string]string{"mesh": "quarantined-on"},
		},
		{
			name:      "an empty value",
			labels:    map[string]string{"app": ""},
			selectors: namespace{selects(KindService, "web", equals("app", ""))},
			want:      map[string]string{"app": "quarantined"},
		},
		{
			name:      "a value that becomes too long",
			labels:    map[string]string{"app": long},
			selectors: namespace{selects(KindService, "web", equals("app", long))},
			want:      map[string]string{"app": "quarantined-" + long[:42] + "-56682d96"},
		},
		{
			name:      "a value that looks rewritten already",
			labels:    map[string]string{"app": "quarantined-web"},
			selectors: namespace{selects(KindService, "web", equals("app", "quarantined-web"))},
			want:      map[string]string{"app": "quarantined-quarantined-web"},
		},
		{
			name:      "a selector on the value that the rewrite gives",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindService, "all", require("app", selection.In, "web", "quarantined-web"))},
			want:      map[string]string{"app": gone},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := DefaultRules()
			if tt.rules != nil {
				tt.rules(&rules)
			}
			before := pod(withoutOwner())
			before.Labels = tt.labels
			req := update(tt.selectors, before, trigger)
			decision := rules.Decide(req)
			if tt.refusedBy != "" {
				if decision.Denial == nil || decision.Denial.Reason != ReasonInescapable || !strings.Contains(decision.Denial.Message, tt.refusedBy) {
					t.Fatalf("denial = %+v, want %s naming %s", decision.Denial, ReasonInescapable, tt.refusedBy)
				}
				return
			}
			got := map[string]string{}
			stored := apply(t, req.New, decision)
			for key, value := range tt.labels {
				switch now, ok := stored.Labels[key]; {
				case !ok:
					got[key] = gone
				case now != value:
					got[key] = now
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changed labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownControllerHasEveryLabelRewritten(t *testing.T) {
	rules := DefaultRules()
	tests := map[string]struct {
		owner     func(*Metadata)
		selectors namespace
	}{
		"a kind that is not indexed":     {owner: controller("apps.kruise.io/v1", "CloneSet", "web")},
		"a ReplicaSet not seen yet":      {owner: controller("apps/v1", "ReplicaSet", "web")},
		"another ReplicaSet of its name": {owner: controller("apps/v1", "ReplicaSet", "web"), selectors: namespace{{Kind: KindReplicaSet, Name: "web", UID: "another", Requirements: labels.Requirements{equals("app", "web")}}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := update(tt.selectors, pod(withoutOwner(), tt.owner), trigger, label("added", "now"), annotation(ForceKey, "true"))
			stored := apply(t, req.New, rules.Decide(req))
			want := map[string]string{
				"component": "quarantined-api-springboot", "release": "quarantined-login-audit-trail-service",
				"pod-template-hash": "quarantined-5d4f8", "added": "now", LabelKey: LabelValue,
			}
			if diff := cmp.Diff(want, stored.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTTL(t *testing.T) {
	rules := DefaultRules()
	tests := []struct {
		name    string
		changes []func(*Metadata)
		want    string
	}{
		{"the default", nil, "2026-03-15T15:09:27Z"},
		{"in the same request", []func(*Metadata){annotation(TTLKey, "90s")}, "2026-03-14T15:10:57Z"},
		{"days and hours", []func(*Metadata){annotation(TTLKey, "1d12h")}, "2026-03-16T03:09:27Z"},
		{"extended at once", []func(*Metadata){annotation(TTLKey, "1h"), annotation(ExtendKey, "2h")}, "2026-03-14T17:09:27Z"},
		{"an extension never shortens", []func(*Metadata){annotation(TTLKey, "2h"), annotation(ExtendKey, "1h")}, "2026-03-14T17:09:27Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := update(incident(), pod(), append(tt.changes, trigger)...)
			stored := apply(t, req.New, rules.Decide(req))
			if got := stored.Annotations[ExpiresAtKey]; got != tt.want {
				t.Errorf("expires at %s, want %s", got, tt.want)
			}
			if _, ok := stored.Annotations[ExtendKey]; ok {
				t.Errorf("%s is still there", ExtendKey)
			}
		})
	}
	t.Run("a bad one from before isolate came counts as none", func(t *testing.T) {
		req := update(incident(), pod(annotation(TTLKey, "soon")), trigger)
		stored := apply(t, req.New, rules.Decide(req))
		if got, want := stored.Annotations[ExpiresAtKey], "2026-03-15T15:09:27Z"; got != want {
			t.Errorf("expires at %s, want %s", got, want)
		}
	})
}

func TestHintsOfOthersStay(t *testing.T) {
	rules := DefaultRules()
	before := pod(annotation(KarpenterHint, "false"), annotation(ArgoTrackingKey, "shop:Pod:ah/x"))
	req := update(incident(), before, trigger, annotation(AutoscalerHint, "true"))
	stored := apply(t, req.New, rules.Decide(req))
	if stored.Annotations[KarpenterHint] != "false" || stored.Annotations[AutoscalerHint] != "true" {
		t.Errorf("hints that somebody set have changed: %v", stored.Annotations)
	}
	if _, ok := stored.Annotations[ArgoTrackingKey]; ok {
		t.Errorf("%s is still there: Argo CD could prune the pod", ArgoTrackingKey)
	}
	record := StatusOf(stored.Labels, stored.Annotations).Record
	want := map[string]*string{ArgoTrackingKey: ptr.To("shop:Pod:ah/x")}
	if diff := cmp.Diff(want, record.Annotations); diff != "" {
		t.Errorf("recorded annotations (-want +got):\n%s", diff)
	}
}

// controller makes this the pod's only owner, and its controller.
func controller(apiVersion, kind, name string) func(*Metadata) {
	return func(m *Metadata) {
		m.OwnerReferences = nil
		owner(apiVersion, kind, name)(m)
		m.OwnerReferences[0].Controller = ptr.To(true)
	}
}
