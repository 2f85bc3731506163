package quarantine

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

func TestLostNetworkPoliciesAreReported(t *testing.T) {
	config := DefaultConfig()
	web := selects(KindNetworkPolicy, "web", equals("release", "login-audit-trail-service"))
	also := selects(KindNetworkPolicy, "also", exists("pod-template-hash"), equals("component", "api-springboot"))
	all := selects(KindNetworkPolicy, "all", labels.Requirements{}...)
	fixed := selects(KindNetworkPolicy, "quarantined", equals(QuarantinedLabel, QuarantinedValue))
	for name, tt := range map[string]struct {
		policies namespace
		want     string
	}{
		"no policy":                                       {nil, ""},
		"one for all pods":                                {namespace{all}, ""},
		"one that no longer selects the pod":              {namespace{web}, "Leaves the pod without a NetworkPolicy: NetworkPolicy/web no longer selects it."},
		"two that no longer select the pod":               {namespace{web, also}, "Leaves the pod without a NetworkPolicy: NetworkPolicy/web (and 1 more) no longer selects it."},
		"one lost, another selects the quarantined label": {namespace{web, fixed}, "NetworkPolicy/web no longer selects it, NetworkPolicy/quarantined does."},
		"none lost, one selects the quarantined label":    {namespace{fixed}, "NetworkPolicy/quarantined selects it while it is quarantined."},
		"one lost, another still selects the pod":         {namespace{web, all}, "NetworkPolicy/web no longer selects it, NetworkPolicy/all does."},
	} {
		t.Run(name, func(t *testing.T) {
			warnings := config.Decide(update(append(incident(), tt.policies...), pod(), trigger)).Warnings
			reported := slices.DeleteFunc(warnings, func(w string) bool { return !strings.Contains(w, "NetworkPolicy") })
			if got := strings.Join(reported, ""); got != tt.want {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}
