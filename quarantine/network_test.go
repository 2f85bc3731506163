package quarantine

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

func TestWhatBecomesOfThePodsNetworkIsTold(t *testing.T) {
	rules := DefaultConfig()
	web := selects(KindNetworkPolicy, "web", equals("release", "login-audit-trail-service"))
	also := selects(KindNetworkPolicy, "also", exists("pod-template-hash"), equals("component", "api-springboot"))
	all := selects(KindNetworkPolicy, "all", labels.Requirements{}...)
	fixed := selects(KindNetworkPolicy, "quarantined", equals(QuarantinedLabel, QuarantinedValue))
	for name, tt := range map[string]struct {
		policies namespace
		want     string
	}{
		"no policy":                                {nil, ""},
		"one for all pods":                         {namespace{all}, ""},
		"one that no longer selects it":            {namespace{web}, "Its network is open now: NetworkPolicy/web no longer selects it, and no other does."},
		"two":                                      {namespace{web, also}, "Its network is open now: NetworkPolicy/web (and 1 more) no longer selects it, and no other does."},
		"one that does, for the label":             {namespace{web, fixed}, "NetworkPolicy/web no longer selects it, NetworkPolicy/quarantined does."},
		"one that begins to, where none did":       {namespace{fixed}, ""},
		"one that goes on beside one that is lost": {namespace{web, all}, "NetworkPolicy/web no longer selects it, NetworkPolicy/all does."},
	} {
		t.Run(name, func(t *testing.T) {
			warnings := rules.Decide(update(append(incident(), tt.policies...), pod(), trigger)).Warnings
			told := slices.DeleteFunc(warnings, func(w string) bool { return !strings.Contains(w, "NetworkPolicy") })
			if told := strings.Join(told, ""); told != tt.want {
				t.Errorf("told %q, want %q", told, tt.want)
			}
		})
	}
}
