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

func TestABudgetThatIsUsedUpRefusesWithoutForce(t *testing.T) {
	const ahead = "and would take every replacement in turn. Nothing was changed. " +
		"To see them: kubectl get pods -n ah -l isolate.example.io/quarantined. To go ahead anyway: kubectl annotate pod -n ah " +
		"login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true isolate.example.io/force=true"
	tests := []struct {
		name     string
		counted  counted
		settings map[string]string
		reason   Reason
		message  string
	}{
		{name: "nothing is quarantined"},
		{name: "one less than the controller's", counted: counted{deployment: 4}},
		{name: "the controller's", counted: counted{deployment: 5}, reason: ReasonControllerBudget,
			message: "5 pods of Deployment/login-audit-trail-service are quarantined already, and 5 may be: " +
				"whatever finds them broken may be mistaken, " + ahead},
		{name: "records of an older release name the ReplicaSet", counted: counted{deployment: 3, replicaSet: 2}, reason: ReasonControllerBudget},
		{name: "those of another controller", counted: counted{"other": 5}},
		{name: "one less than the namespace's", counted: counted{"other": 45, "": 4}},
		{name: "the namespace's", counted: counted{"other": 45, "": 5}, reason: ReasonNamespaceBudget,
			message: "50 pods of namespace ah are quarantined already, and 50 may be: whatever finds them broken may be mistaken, " + ahead},
		{name: "more than there may be, after a flag has changed", counted: counted{deployment: 9}, reason: ReasonControllerBudget},
		{name: "a namespace that allows fewer", counted: counted{deployment: 1},
			settings: map[string]string{ControllerBudgetKey: "1"}, reason: ReasonControllerBudget},
		{name: "a namespace that allows more", counted: counted{deployment: 5}, settings: map[string]string{ControllerBudgetKey: "6"}},
		{name: "a namespace without a limit for a controller", counted: counted{deployment: 49}, settings: map[string]string{ControllerBudgetKey: "0"}},
		{name: "a namespace without any limit", counted: counted{deployment: 500},
			settings: map[string]string{ControllerBudgetKey: "0", NamespaceBudgetKey: "0"}},
		{name: "a namespace with a limit of its own", counted: counted{"other": 2},
			settings: map[string]string{NamespaceBudgetKey: "2"}, reason: ReasonNamespaceBudget},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := DefaultConfig()
			req := update(incident(), pod(), trigger)
			req.Quarantined, req.NamespaceConfig = tt.counted, tt.settings
			decision := rules.Decide(req)
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
			if decision = rules.Decide(req); decision.Action != ActionQuarantine {
				t.Errorf("with force %s: %+v", decision.Action, decision.Denial)
			}
		})
	}
}

// A Job that a CronJob has started counts for the CronJob, a pod of nobody for its
// namespace alone.
func TestWhatAQuarantinedPodCountsFor(t *testing.T) {
	rules := DefaultConfig()
	for name, tt := range map[string]struct {
		pod  *Pod
		want types.UID
	}{
		"a Deployment's":                  {pod(), deployment},
		"a CloneSet's":                    {pod(controller("apps.kruise.io/v1", "CloneSet", "web")), "uid-web"},
		"another ReplicaSet of that name": {pod(withoutOwner(), controller("apps/v1", "ReplicaSet", "other")), "uid-other"},
		"nobody's":                        {pod(withoutOwner()), ""},
	} {
		req := update(incident(), tt.pod, trigger, annotation(ForceKey, "true"))
		decision := rules.Decide(req)
		if decision.CountsFor != tt.want {
			t.Errorf("%s counts for %q, want %q", name, decision.CountsFor, tt.want)
		}
		stored := apply(t, req.New, decision)
		record := StatusOf(stored.Labels, stored.Annotations).Record
		if got := record.CountsFor(); got != tt.want {
			t.Errorf("the record of %s counts for %q, want %q", name, got, tt.want)
		}
		record.BudgetOwner = nil // as an older release has written it
		if owner := tt.pod.controller(); owner != nil && record.CountsFor() != owner.UID {
			t.Errorf("an older record of %s counts for %q, want %q", name, record.CountsFor(), owner.UID)
		}
	}
}

func TestTheLastOfABudgetIsTold(t *testing.T) {
	rules := DefaultConfig()
	const ofController = "5 pods of Deployment/login-audit-trail-service are quarantined now, and 5 may be: the next takes isolate.example.io/force=true."
	const ofNamespace = "50 pods of the namespace are quarantined now, and 50 may be: the next takes isolate.example.io/force=true."
	for name, tt := range map[string]struct {
		counted counted
		want    string
		told    bool
	}{
		"the controller's last":     {counted{deployment: 4}, fit(ofController), true},
		"one before":                {counted{deployment: 3}, fit(ofController), false},
		"the namespace's last":      {counted{"": 49}, ofNamespace, true},
		"one before the namespaces": {counted{"": 48}, ofNamespace, false},
	} {
		req := update(incident(), pod(), trigger)
		req.Quarantined = tt.counted
		if warnings := rules.Decide(req).Warnings; slices.Contains(warnings, tt.want) != tt.told {
			t.Errorf("%s: %q", name, warnings)
		}
	}
}

func TestANamespaceSetsItsOwn(t *testing.T) {
	const badDuration = "must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small"
	defaults := DefaultConfig()
	tests := []struct {
		name        string
		annotations map[string]string
		change      func(*Config)
		wrong       []string
	}{
		{name: "nothing", annotations: map[string]string{"other": "x"}},
		{name: "all", annotations: map[string]string{DefaultTTLKey: "1h", MaxTTLKey: "60d", ControllerBudgetKey: "1", NamespaceBudgetKey: "0"},
			change: func(r *Config) {
				r.DefaultTTL, r.MaxTTL, r.ControllerBudget, r.NamespaceBudget = time.Hour, 60*24*time.Hour, 1, 0
			}},
		{name: "a maximum below the flag's default", annotations: map[string]string{MaxTTLKey: "1h"},
			change: func(r *Config) { r.DefaultTTL, r.MaxTTL = time.Hour, time.Hour }},
		{name: "a default above the maximum", annotations: map[string]string{DefaultTTLKey: "31d"},
			change: func(r *Config) { r.unread = []string{DefaultTTLKey} },
			wrong:  []string{`metadata.annotations[isolate.example.io/default-ttl]: Invalid value: "31d": must be at least 1s and at most 30d`}},
		{name: "all bad", annotations: map[string]string{DefaultTTLKey: "soon", MaxTTLKey: "0s", ControllerBudgetKey: "-1", NamespaceBudgetKey: "many"},
			change: func(r *Config) {
				r.unread = []string{MaxTTLKey, DefaultTTLKey, ControllerBudgetKey, NamespaceBudgetKey}
			},
			wrong: []string{
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
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			var wrong []string
			for _, err := range errs {
				wrong = append(wrong, err.Error())
			}
			if diff := cmp.Diff(tt.wrong, wrong); diff != "" {
				t.Errorf("what is wrong (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANamespacesTimesCount(t *testing.T) {
	rules := DefaultConfig()
	settings := map[string]string{DefaultTTLKey: "1h", MaxTTLKey: "2h", ControllerBudgetKey: "few"}
	req := update(incident(), pod(), trigger)
	req.NamespaceConfig = settings
	decision := rules.Decide(req)
	stored := apply(t, req.New, decision)
	if got, want := stored.Annotations[ExpiresAtKey], "2026-03-14T16:09:27Z"; got != want {
		t.Errorf("expires at %s, want %s", got, want)
	}
	if want := "The namespace's isolate.example.io/controller-budget has a bad value, so it does not count."; !slices.Contains(decision.Warnings, want) {
		t.Errorf("warnings = %q", decision.Warnings)
	}
	for _, key := range []string{TTLKey, ExtendKey} {
		before := pod()
		if key == ExtendKey {
			before = &Pod{Metadata: *stored}
		}
		longer := update(incident(), before, annotation(key, "3h"), trigger)
		longer.NamespaceConfig = settings
		denial := rules.Decide(longer).Denial
		if denial == nil || denial.Reason != ReasonInvalidValue || denial.Invalid[0].Detail != "must be at least 1s and at most 2h" {
			t.Errorf("%s of 3h: %+v", key, denial)
		}
	}
}
