package quarantine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// TestRewrite tests how a pod's labels have to change so that nothing selects the pod.
func TestRewrite(t *testing.T) {
	const gone = "<removed>"
	long := strings.Repeat("v", 63)
	tests := []struct {
		name      string
		labels    map[string]string
		selectors namespace
		config    func(*Config)
		want      map[string]string // the labels that change
		refusedBy string
	}{
		{
			name:   "nothing selects it",
			labels: map[string]string{"app": "web"},
			want:   map[string]string{},
		},
		{
			name:      "a selector that does not match changes no label",
			labels:    map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{selects(KindService, "db", equals("app", "db"), equals("tier", "front"))},
			want:      map[string]string{},
		},
		{
			name:      "all required keys of a selector are rewritten",
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
			name:      "exists together with equals takes a rewrite",
			labels:    map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{selects(KindReplicaSet, "web", exists("app"), equals("tier", "front"))},
			want:      map[string]string{"app": "quarantined-web", "tier": "quarantined-front"},
		},
		{
			name:      "exists alone takes a removal",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindReplicaSet, "web", exists("app"))},
			want:      map[string]string{"app": gone},
		},
		{
			name:      "of two keys that must exist, one is removed",
			labels:    map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{selects(KindReplicaSet, "web", exists("app"), exists("tier"))},
			want:      map[string]string{"app": gone, "tier": "quarantined-front"},
		},
		{
			name:   "the second is removed if the absence of the first is selected",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindReplicaSet, "web", exists("app"), exists("tier")),
				selects(KindReplicaSet, "no-app", absent("app")),
			},
			want: map[string]string{"tier": gone},
		},
		{
			name:      "notin together with equals",
			labels:    map[string]string{"app": "web", "env": "prod"},
			selectors: namespace{selects(KindReplicaSet, "web", equals("app", "web"), notIn("env", "test"))},
			want:      map[string]string{"app": "quarantined-web"},
		},
		{
			name:   "notin that matches after the rewrite",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindService, "web", equals("app", "web")),
				selects(KindReplicaSet, "others", equals("tier", "front"), notIn("app", "web")),
			},
			want: map[string]string{"app": "quarantined-web", "tier": "quarantined-front"},
		},
		{
			name:   "a key is restored if only its change is selected",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindService, "web", equals("app", "web"), equals("tier", "front")),
				selects(KindReplicaSet, "others", notIn("app", "web")),
			},
			want: map[string]string{"tier": "quarantined-front"},
		},
		{
			name:   "doesNotExist that matches after a removal",
			labels: map[string]string{"app": "web", "tier": "front"},
			selectors: namespace{
				selects(KindReplicaSet, "web", exists("app")),
				selects(KindReplicaSet, "rest", absent("app"), equals("tier", "front")),
			},
			want: map[string]string{"app": gone, "tier": "quarantined-front"},
		},
		{
			name:   "exists and doesNotExist of one key are inescapable",
			labels: map[string]string{"app": "web"},
			selectors: namespace{
				selects(KindReplicaSet, "has", exists("app")),
				selects(KindReplicaSet, "rest", absent("app")),
			},
			refusedBy: "ReplicaSet/has",
		},
		{
			name:      "notin of a key that the pod never had is inescapable",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindReplicaSet, "all", notIn("env", "test"))},
			refusedBy: "ReplicaSet/all",
		},
		{
			name:      "a ReplicaSet that selects the quarantined label is inescapable",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindReplicaSet, "debug", equals(QuarantinedLabel, QuarantinedValue))},
			refusedBy: "ReplicaSet/debug",
		},
		{
			name:   "a Service that selects the quarantined label blocks nothing, and keeps its labels",
			labels: map[string]string{"app": "web", "team": "shop"},
			selectors: namespace{
				selects(KindService, "web", equals("app", "web")),
				selects(KindService, "debug", equals(QuarantinedLabel, QuarantinedValue), equals("team", "shop")),
			},
			want: map[string]string{"app": "quarantined-web"},
		},
		{
			name:      "a PodDisruptionBudget is escaped too",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindPodDisruptionBudget, "web", equals("app", "web"))},
			want:      map[string]string{"app": "quarantined-web"},
		},
		{
			name:   "an inescapable PodDisruptionBudget does not block the quarantine",
			labels: map[string]string{"app": "web"},
			selectors: namespace{
				selects(KindReplicaSet, "web", exists("app")),
				selects(KindPodDisruptionBudget, "rest", notIn("app", "web")),
			},
			want: map[string]string{"app": gone},
		},
		{
			name:   "Argo CD's label is rewritten too",
			labels: map[string]string{InstanceLabel: "shop"},
			want:   map[string]string{InstanceLabel: "quarantined-shop"},
		},
		{
			name:   "the extra keys of the configuration are rewritten too",
			labels: map[string]string{"mesh": "on"},
			config: func(c *Config) { c.ExtraKeys = []string{"mesh", "none"} },
			want:   map[string]string{"mesh": "quarantined-on"},
		},
		{
			name:      "an empty value becomes the prefix",
			labels:    map[string]string{"app": ""},
			selectors: namespace{selects(KindService, "web", equals("app", ""))},
			want:      map[string]string{"app": "quarantined"},
		},
		{
			name:      "a value that becomes too long gets a hash",
			labels:    map[string]string{"app": long},
			selectors: namespace{selects(KindService, "web", equals("app", long))},
			want:      map[string]string{"app": "quarantined-" + long[:42] + "-56682d96"},
		},
		{
			name:      "a value that looks rewritten is rewritten again",
			labels:    map[string]string{"app": "quarantined-web"},
			selectors: namespace{selects(KindService, "web", equals("app", "quarantined-web"))},
			want:      map[string]string{"app": "quarantined-quarantined-web"},
		},
		{
			name:      "a selector on the rewritten value takes a removal",
			labels:    map[string]string{"app": "web"},
			selectors: namespace{selects(KindService, "all", require("app", selection.In, "web", "quarantined-web"))},
			want:      map[string]string{"app": gone},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			if tt.config != nil {
				tt.config(&config)
			}
			before := pod(withoutOwner())
			before.Labels = tt.labels
			req := update(tt.selectors, before, trigger)
			decision := config.Decide(req)
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

func TestUnknownControllerRewritesEveryLabel(t *testing.T) {
	config := DefaultConfig()
	tests := map[string]struct {
		owner     func(*Metadata)
		selectors namespace
	}{
		"a kind that is not a selecting kind":    {owner: controller("apps.kruise.io/v1", "CloneSet", "web")},
		"a ReplicaSet that isolate has not seen": {owner: controller("apps/v1", "ReplicaSet", "web")},
		"another ReplicaSet of the same name":    {owner: controller("apps/v1", "ReplicaSet", "web"), selectors: namespace{{Kind: KindReplicaSet, Name: "web", UID: "another", Requirements: labels.Requirements{equals("app", "web")}}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := update(tt.selectors, pod(withoutOwner(), tt.owner), trigger, label("added", "now"), annotation(ForceKey, "true"))
			stored := apply(t, req.New, config.Decide(req))
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
