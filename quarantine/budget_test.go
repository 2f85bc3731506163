package quarantine

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

const (
	deployment = types.UID("uid-deployment")
	replicaSet = types.UID("uid-login-audit-trail-service-5d4f8")
)

func TestExceededBudgetRefusesWithoutForce(t *testing.T) {
	const rest = " are already quarantined. A faulty detector would go on to quarantine every replacement. Nothing was changed. " +
		"To list them: kubectl get pods -n ah -l isolate.example.io/quarantined. To proceed anyway: kubectl annotate pod -n ah " +
		"login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true isolate.example.io/force=true"
	tests := []struct {
		name     string
		counted  counted
		settings map[string]string
		reason   Reason
		message  string
	}{
		{name: "nothing is quarantined"},
		{name: "below the controller's limit", counted: counted{deployment: 4}},
		{name: "at the controller's limit", counted: counted{deployment: 5}, reason: ReasonControllerBudget,
			message: "5 of at most 5 pods of Deployment/login-audit-trail-service" + rest},
		{name: "records of an older release name the ReplicaSet", counted: counted{deployment: 3, replicaSet: 2}, reason: ReasonControllerBudget},
		{name: "pods of another controller", counted: counted{"other": 5}},
		{name: "below the namespace's limit", counted: counted{"other": 45, "": 4}},
		{name: "at the namespace's limit", counted: counted{"other": 45, "": 5}, reason: ReasonNamespaceBudget,
			message: "50 of at most 50 pods of namespace ah" + rest},
		{name: "above the limit, after the flag was lowered", counted: counted{deployment: 9}, reason: ReasonControllerBudget},
		{name: "a namespace with a lower limit", counted: counted{deployment: 1},
			settings: map[string]string{ControllerBudgetKey: "1"}, reason: ReasonControllerBudget},
		{name: "a namespace with a higher limit", counted: counted{deployment: 5}, settings: map[string]string{ControllerBudgetKey: "6"}},
		{name: "a namespace without a controller limit", counted: counted{deployment: 49}, settings: map[string]string{ControllerBudgetKey: "0"}},
		{name: "a namespace without any limit", counted: counted{deployment: 500},
			settings: map[string]string{ControllerBudgetKey: "0", NamespaceBudgetKey: "0"}},
		{name: "a namespace with its own namespace limit", counted: counted{"other": 2},
			settings: map[string]string{NamespaceBudgetKey: "2"}, reason: ReasonNamespaceBudget},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			req := update(incident(), pod(), trigger)
			req.Quarantined, req.NamespaceConfig = tt.counted, tt.settings
			decision := config.Decide(req)
			if tt.reason == "" {
				if decision.Action != ActionQuarantine {
					t.Fatalf("%s: %+v", decision.Action, decision.Denial)
				}
				return
			}
			if decision.Denial == nil || decision.Denial.Reason != tt.reason {
				t.Fatalf("denial = %+v, want %s", decision.Denial, tt.reason)
			}
			if tt.message != "" && decision.Denial.Message != tt.message {
				t.Errorf("message %s\nwant    %s", decision.Denial.Message, tt.message)
			}
			annotation(ForceKey, "true")(req.New)
			if decision = config.Decide(req); decision.Action != ActionQuarantine {
				t.Errorf("with force %s: %+v", decision.Action, decision.Denial)
			}
		})
	}
}

type countedInFlight struct{ PodCount }

func (c countedInFlight) Controlled(...types.UID) PodCount { return c.PodCount }

func (c countedInFlight) All() PodCount { return c.PodCount }

// A later webhook or policy may still refuse a write that isolate admits.
func TestDenialDistinguishesQuarantinedFromInFlight(t *testing.T) {
	req := update(incident(), pod(), trigger)
	req.Quarantined = countedInFlight{PodCount{Quarantined: 3, InFlight: 2}}
	config := DefaultConfig()
	decision := config.Decide(req)
	const want = "3 of at most 5 pods of Deployment/login-audit-trail-service are already quarantined, and the quarantine of 2 more is in flight. " +
		"A faulty detector would go on to quarantine every replacement. Nothing was changed. In a few seconds only stored quarantines count: retry then. " +
		"To list them: kubectl get pods -n ah -l isolate.example.io/quarantined. To proceed anyway: kubectl annotate pod -n ah " +
		"login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true isolate.example.io/force=true"
	if decision.Denial == nil || decision.Denial.Message != want {
		t.Errorf("denial = %+v, want %s", decision.Denial, want)
	}
}

// A pod without a controller counts only for its namespace.
func TestPodCountsForBudgetOwner(t *testing.T) {
	config := DefaultConfig()
	for name, tt := range map[string]struct {
		pod  *Pod
		want types.UID
	}{
		"a Deployment's":                         {pod(), deployment},
		"a CloneSet's":                           {pod(controller("apps.kruise.io/v1", "CloneSet", "web")), "uid-web"},
		"a ReplicaSet that isolate has not seen": {pod(withoutOwner(), controller("apps/v1", "ReplicaSet", "other")), "uid-other"},
		"a pod without a controller":             {pod(withoutOwner()), ""},
	} {
		req := update(incident(), tt.pod, trigger, annotation(ForceKey, "true"))
		decision := config.Decide(req)
		if decision.CountsFor != tt.want {
			t.Errorf("%s counts for %q, want %q", name, decision.CountsFor, tt.want)
		}
		stored := apply(t, req.New, decision)
		record := StatusOf(stored.Labels, stored.Annotations).Record
		if got := record.CountsFor(); got != tt.want {
			t.Errorf("the record of %s counts for %q, want %q", name, got, tt.want)
		}
		record.BudgetOwner = nil // as an older release wrote it
		if owner := tt.pod.controllerRef(); owner != nil && record.CountsFor() != owner.UID {
			t.Errorf("an older record of %s counts for %q, want %q", name, record.CountsFor(), owner.UID)
		}
	}
}

func TestLastPodOfBudgetIsReported(t *testing.T) {
	config := DefaultConfig()
	const ofController = "The next one needs isolate.example.io/force=true: this is number 5 of at most 5 quarantined pods of Deployment/login-au…"
	const ofNamespace = "The next one needs isolate.example.io/force=true: this is number 50 of at most 50 quarantined pods of the namespace."
	for name, tt := range map[string]struct {
		counted  counted
		want     string
		reported bool
	}{
		"the last of the controller's budget":            {counted{deployment: 4}, ofController, true},
		"one before the last of the controller's budget": {counted{deployment: 3}, ofController, false},
		"the last of the namespace's budget":             {counted{"": 49}, ofNamespace, true},
		"one before the last of the namespace's budget":  {counted{"": 48}, ofNamespace, false},
	} {
		req := update(incident(), pod(), trigger)
		req.Quarantined = tt.counted
		if warnings := config.Decide(req).Warnings; slices.Contains(warnings, tt.want) != tt.reported {
			t.Errorf("%s: %q", name, warnings)
		}
	}
}

func TestNamespaceConfig(t *testing.T) {
	const badDuration = "must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small"
	defaults := DefaultConfig()
	tests := []struct {
		name        string
		annotations map[string]string
		change      func(*Config)
		errs        []string
	}{
		{name: "nothing", annotations: map[string]string{"other": "x"}},
		{name: "all", annotations: map[string]string{DefaultTTLKey: "1h", MaxTTLKey: "60d", ControllerBudgetKey: "1", NamespaceBudgetKey: "0"},
			change: func(c *Config) {
				c.DefaultTTL, c.MaxTTL, c.ControllerBudget, c.NamespaceBudget = time.Hour, 60*24*time.Hour, 1, 0
			}},
		{name: "a maximum below the flag's default lowers the default", annotations: map[string]string{MaxTTLKey: "1h"},
			change: func(c *Config) { c.DefaultTTL, c.MaxTTL = time.Hour, time.Hour }},
		{name: "a default above the maximum is invalid", annotations: map[string]string{DefaultTTLKey: "31d"},
			change: func(c *Config) { c.invalidKeys = []string{DefaultTTLKey} },
			errs:   []string{`metadata.annotations[isolate.example.io/default-ttl]: Invalid value: "31d": must be at least 1s and at most 30d`}},
		{name: "all invalid", annotations: map[string]string{DefaultTTLKey: "soon", MaxTTLKey: "0s", ControllerBudgetKey: "-1", NamespaceBudgetKey: "many"},
			change: func(c *Config) {
				c.invalidKeys = []string{MaxTTLKey, DefaultTTLKey, ControllerBudgetKey, NamespaceBudgetKey}
			},
			errs: []string{
				`metadata.annotations[isolate.example.io/max-ttl]: Invalid value: "0s": must be at least 1s and at most 100y`,
				`metadata.annotations[isolate.example.io/default-ttl]: Invalid value: "soon": ` + badDuration,
				`metadata.annotations[isolate.example.io/controller-budget]: Invalid value: "-1": must be a whole number, 0 for no limit`,
				`metadata.annotations[isolate.example.io/namespace-budget]: Invalid value: "many": must be a whole number, 0 for no limit`,
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := DefaultConfig()
			if tt.change != nil {
				tt.change(&want)
			}
			got, errs := defaults.ForNamespace(tt.annotations)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(Config{})); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
			var messages []string
			for _, err := range errs {
				messages = append(messages, err.Error())
			}
			if diff := cmp.Diff(tt.errs, messages); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamespaceConfigSetsTTLs(t *testing.T) {
	config := DefaultConfig()
	settings := map[string]string{DefaultTTLKey: "1h", MaxTTLKey: "2h", ControllerBudgetKey: "few"}
	req := update(incident(), pod(), trigger)
	req.NamespaceConfig = settings
	decision := config.Decide(req)
	stored := apply(t, req.New, decision)
	if got, want := stored.Annotations[ExpiresAtKey], "2026-03-14T16:09:27Z"; got != want {
		t.Errorf("expires at %s, want %s", got, want)
	}
	if want := "The namespace's isolate.example.io/controller-budget is invalid and was ignored."; !slices.Contains(decision.Warnings, want) {
		t.Errorf("warnings = %q", decision.Warnings)
	}
	for _, key := range []string{TTLKey, ExtendKey} {
		before := pod()
		if key == ExtendKey {
			before = &Pod{Metadata: *stored}
		}
		longer := update(incident(), before, annotation(key, "3h"), trigger)
		longer.NamespaceConfig = settings
		denial := config.Decide(longer).Denial
		if denial == nil || denial.Reason != ReasonInvalidValue || denial.Invalid[0].Detail != "must be at least 1s and at most 2h" {
			t.Errorf("%s of 3h: %+v", key, denial)
		}
	}
}
