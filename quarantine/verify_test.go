package quarantine

import (
	"testing"
)

func TestVerifyRefusesAPodThatWasAttachedAgain(t *testing.T) {
	const find = "Nothing was changed. To find what runs after isolate's webhook: " +
		"kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies; have it leave out pods with the label isolate.example.io/quarantined"
	const name = "login-audit-trail-service-5d4f8-x2x"
	managed := `[{"manager":"kubectl","fieldsV1":{"f:metadata":{"f:labels":{"f:team":{}}}}},{"manager":"other","fieldsV1":{"f:metadata":{"f:labels":{"f:tier":{}}}}}]`
	tests := []struct {
		name      string
		selectors namespace
		later     []func(*Metadata) // what something that runs after isolate's webhook changes
		want      string
		reason    Reason // ReasonReattached unless set
	}{
		{name: "nothing is changed"},
		{name: "a label that nothing selects by is set", later: []func(*Metadata){label("mesh", "on")}},
		{
			name: "a rewritten label is set again", selectors: shop(), later: []func(*Metadata){label("team", "shop")},
			want: "something that runs after isolate's webhook sets label team=shop, by which Service/shop would still select pod " + name + ". " + find,
		},
		{
			name: "a label with a new value is set", selectors: append(incident(), selects(KindService, "late", equals("team", "late"))),
			later: []func(*Metadata){label("team", "late")},
			want:  "something that runs after isolate's webhook sets label team=late (field manager kubectl), by which Service/late would still select pod " + name + ". " + find,
		},
		{
			name: "a rewritten label is removed", selectors: append(incident(), selects(KindReplicaSet, "bare", absent("release"))),
			later: []func(*Metadata){withoutLabel("release")},
			want:  "something that runs after isolate's webhook removes label release, by which ReplicaSet/bare would still select pod " + name + ". " + find,
		},
		{
			name: "an owner is added", later: []func(*Metadata){owner("v1", "ConfigMap", "x")},
			want: "something that runs after isolate's webhook gives pod " + name + " the owner ConfigMap/x. " + find,
		},
		{
			name: "the record is removed", later: []func(*Metadata){without(RecordKey)}, reason: ReasonRecordProtected,
			want: "something that runs after isolate's webhook changes the record of pod " + name + ": annotation isolate.example.io/record is missing. " + find,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			if tt.reason == "" {
				tt.reason = ReasonReattached
			}
			if tt.selectors == nil {
				tt.selectors = incident()
			}
			req := update(tt.selectors, pod(label("team", "shop")), trigger)
			req.New = clone(apply(t, req.New, config.Decide(req)))
			for _, change := range tt.later {
				change(req.New)
			}
			decision := Verify(req, []byte(managed))
			switch {
			case tt.want == "" && decision.Denial != nil:
				t.Errorf("denied: %s", decision.Denial.Message)
			case tt.want != "" && (decision.Denial == nil || decision.Denial.Reason != tt.reason || decision.Denial.Message != tt.want):
				t.Errorf("denial = %+v\nwant %s", decision.Denial, tt.want)
			}
		})
	}
	t.Run("the pod is terminating", func(t *testing.T) {
		req := update(incident(), pod(terminating), trigger, label(QuarantinedLabel, QuarantinedValue))
		if decision := Verify(req, nil); decision.Denial != nil {
			t.Errorf("denied: %s", decision.Denial.Message)
		}
	})
	t.Run("a Service is created during the admission", func(t *testing.T) {
		config := DefaultConfig()
		req := update(incident(), pod(), trigger)
		req.New = clone(apply(t, req.New, config.Decide(req)))
		req.Selectors = reselected()
		const want = "Service/late has come to select pod " + name + " while it was being quarantined. Nothing was changed; retry"
		if decision := Verify(req, nil); decision.Denial == nil || decision.Denial.Message != want {
			t.Errorf("denial = %+v\nwant %s", decision.Denial, want)
		}
	})
}
