package quarantine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// TestEscape holds the fixpoint: what has to happen to the labels of a pod so
// that nothing selects it.
func TestEscape(t *testing.T) {
	const gone = "<removed>"
	long := strings.Repeat("v", 63)
	tests := []struct {
		name      string
		labels    map[string]string
		selectors namespace
		rules     func(*Config)
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
			selectors: namespace{selects(KindService, "debug", equals(QuarantinedLabel, QuarantinedValue))},
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
			rules:  func(r *Config) { r.ExtraKeys = []string{"mesh", "none"} },
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
			rules := DefaultConfig()
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
	rules := DefaultConfig()
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
				"pod-template-hash": "quarantined-5d4f8", "added": "now", QuarantinedLabel: QuarantinedValue,
			}
			if diff := cmp.Diff(want, stored.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}
