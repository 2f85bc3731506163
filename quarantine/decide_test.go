package quarantine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDecide tests the rows of the transition table.
func TestDecide(t *testing.T) {
	tests := []struct {
		name       string
		req        Request
		want       Action
		reason     Reason
		operations string // the patch, where it is not a quarantine's
		warning    string
	}{
		{
			name: "T1: a pod is created with the label",
			req:  create(label(QuarantinedLabel, QuarantinedValue)),
			want: ActionDeny, reason: ReasonCreatedQuarantined,
		},
		{
			name: "T2: a pod is created with isolate's annotations, which are removed",
			req:  create(trigger, annotation(ForceKey, "true"), annotation(RecordKey, "{}"), annotation("other", "x")),
			want: ActionDropAnnotations,
			operations: `[{"op":"remove","path":"/metadata/annotations/isolate.example.io~1force"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1quarantine"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1record"}]`,
			warning: warnCreated,
		},
		{
			name: "T2: a pod is created without isolate's annotations",
			req:  create(annotation("other", "x")),
			want: ActionNone,
		},
		{
			name: "T3: the trigger turns true on a terminating pod",
			req:  update(incident(), pod(terminating), trigger),
			want: ActionNone, warning: warnTerminating,
		},
		{
			name: "T3: an invalid value on a terminating pod is admitted",
			req:  update(incident(), pod(terminating), annotation(TTLKey, "soon")),
			want: ActionNone,
		},
		{
			name: "T11: the trigger turns true",
			req:  update(incident(), pod(), trigger),
			want: ActionQuarantine,
		},
		{
			name: "T11: the trigger turns from false to true",
			req:  update(incident(), pod(annotation(TriggerKey, "false")), trigger),
			want: ActionQuarantine,
		},
		{
			name: "T14: a stored trigger does nothing",
			req:  update(incident(), pod(trigger), annotation("other", "x")),
			want: ActionNone,
		},
		{
			name: "T13: the trigger turns false on a free pod",
			req:  update(incident(), pod(), annotation(TriggerKey, "false")),
			want: ActionNone,
		},
		{
			name: "T4: the trigger has an invalid value",
			req:  update(incident(), pod(), annotation(TriggerKey, "True")),
			want: ActionDeny, reason: ReasonInvalidValue,
		},
		{
			name: "T4: an invalid value that is stored blocks no write",
			req:  update(incident(), pod(annotation(HoldKey, "maybe")), trigger),
			want: ActionQuarantine,
		},
		{
			name: "T11: the same request changes a label that must be rewritten",
			req:  update(incident(), pod(), trigger, label("release", "other")),
			want: ActionQuarantine,
		},
		{
			name: "T11: the same request removes a label that must be rewritten",
			req:  update(incident(), pod(), trigger, withoutLabel("release")),
			want: ActionQuarantine,
		},
		{
			name: "T11: the same request adds a label that a selector matches",
			req:  update(append(incident(), selects(KindService, "new", equals("new", "yes"))), pod(), trigger, label("new", "yes")),
			want: ActionQuarantine,
		},
		{
			name: "T11: the same request removes a label whose absence is selected",
			req:  update(append(incident(), selects(KindReplicaSet, "bare", absent("team"))), pod(label("team", "x")), trigger, withoutLabel("team")),
			want: ActionQuarantine,
		},
		{
			name: "T11: the same request changes another label",
			req:  update(incident(), pod(), trigger, label("note", "x")),
			want: ActionQuarantine,
		},
		{
			name: "T11: the same request adds an owner",
			req:  update(incident(), pod(), trigger, owner("v1", "ConfigMap", "x")),
			want: ActionQuarantine,
		},
		{
			name: "T12: the record is written on a free pod",
			req:  update(incident(), pod(), annotation(ExpiresAtKey, "2026-03-14T15:09:26Z")),
			want: ActionDeny, reason: ReasonRecordProtected,
		},
		{
			name: "T12: the label is written on a free pod",
			req:  update(incident(), pod(), label(QuarantinedLabel, QuarantinedValue)),
			want: ActionDeny, reason: ReasonRecordProtected,
		},
		{
			name: "T14: force, extend and recheck are removed from a free pod",
			req:  update(incident(), pod(), annotation(ForceKey, "true"), annotation(ExtendKey, "1h"), annotation(RecheckKey, "1")),
			want: ActionDropAnnotations,
			operations: `[{"op":"remove","path":"/metadata/annotations/isolate.example.io~1extend"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1force"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1recheck"}]`,
			warning: warnExtendFree,
		},
		{
			name: "T11: the quarantine removes force",
			req:  update(incident(), pod(), trigger, annotation(ForceKey, "true")),
			want: ActionQuarantine,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			decision := config.Decide(tt.req)
			if decision.Action != tt.want {
				t.Fatalf("action = %s (%+v), want %s", decision.Action, decision.Denial, tt.want)
			}
			if decision.Denial != nil && decision.Denial.Reason != tt.reason {
				t.Errorf("reason = %s, want %s", decision.Denial.Reason, tt.reason)
			}
			if tt.warning != "" && !cmp.Equal(decision.Warnings, []string{tt.warning}) {
				t.Errorf("warnings = %q, want %q", decision.Warnings, tt.warning)
			}
			if decision.Action == ActionDeny {
				return
			}
			stored := apply(t, tt.req.New, decision)
			if _, ok := stored.Annotations[ForceKey]; ok {
				t.Errorf("force was not removed")
			}
			if operations := operationsOf(t, decision); decision.Action != ActionQuarantine && operations != tt.operations {
				t.Errorf("patch = %s, want %s", operations, tt.operations)
			}
		})
	}
}

func operationsOf(t *testing.T, decision Decision) string {
	t.Helper()
	if len(decision.Patch) == 0 {
		return ""
	}
	data, err := json.Marshal(decision.Patch)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestInvalidRequests tests the message for each invalid value.
func TestInvalidRequests(t *testing.T) {
	const duration = "must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small"
	tests := []struct{ key, value, want string }{
		{TriggerKey, "yes", `metadata.annotations[isolate.example.io/quarantine]: Invalid value: "yes": must be "true" or "false"`},
		{HoldKey, "", `metadata.annotations[isolate.example.io/hold]: Invalid value: "": must be "true" or "false"`},
		{ForceKey, "1", `metadata.annotations[isolate.example.io/force]: Invalid value: "1": must be "true"; isolate removes it after reading it`},
		{TTLKey, "soon", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "soon": ` + duration},
		{TTLKey, "1.5h", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "1.5h": ` + duration},
		{TTLKey, "-1h", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "-1h": ` + duration},
		{TTLKey, "0", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "0": must be at least 1s and at most 30d`},
		{TTLKey, "500ms", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "500ms": must be at least 1s and at most 30d`},
		{TTLKey, "31d", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "31d": must be at least 1s and at most 30d`},
		{ExtendKey, "99999999999999999999h", `metadata.annotations[isolate.example.io/extend]: Invalid value: "99999999999999999999h": ` + duration},
		{ReasonKey, strings.Repeat("ä", 1025), `metadata.annotations[isolate.example.io/reason]: Invalid value: "` +
			strings.Repeat("ä", 63) + `…": must have at most 1024 characters, has 1025`},
	}
	config := DefaultConfig()
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.want[len(tt.want)-10:], func(t *testing.T) {
			decision := config.Decide(update(incident(), pod(), annotation(tt.key, tt.value), trigger, annotation(tt.key, tt.value)))
			if decision.Denial == nil || decision.Denial.Reason != ReasonInvalidValue {
				t.Fatalf("denial = %+v, want %s", decision.Denial, ReasonInvalidValue)
			}
			if got := decision.Denial.Invalid.ToAggregate().Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("all errors are reported at once", func(t *testing.T) {
		decision := config.Decide(update(incident(), pod(), annotation(TTLKey, "x"), annotation(HoldKey, "x"), annotation(TriggerKey, "x")))
		if decision.Denial == nil || len(decision.Denial.Invalid) != 3 {
			t.Errorf("denial = %+v, want three fields", decision.Denial)
		}
	})
	t.Run("valid values", func(t *testing.T) {
		for _, value := range []string{"1s", "90s", "30m", "36h", "7d", "1d12h", "30d", "4w"} {
			if decision := config.Decide(update(incident(), pod(), annotation(TTLKey, value))); decision.Denial != nil {
				t.Errorf("ttl %s is denied: %v", value, decision.Denial.Invalid)
			}
		}
	})
}

func TestDenialMessages(t *testing.T) {
	config := DefaultConfig()
	tests := []struct {
		name string
		req  Request
		want string
	}{
		{
			name: "record",
			req:  update(incident(), pod(), label(QuarantinedLabel, QuarantinedValue)),
			want: "only isolate writes the label isolate.example.io/quarantined and the annotations of its record. Nothing was changed. " +
				"To quarantine the pod: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true",
		},
		{
			name: "inescapable",
			req:  update(namespace{selects(KindReplicaSet, "all", notIn("env", "test"))}, pod(), trigger),
			want: "no label change detaches pod login-audit-trail-service-5d4f8-x2x from ReplicaSet/all. Nothing was changed. " +
				"Make that selector require a specific label value, then retry",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decision := config.Decide(tt.req)
			if decision.Denial == nil || decision.Denial.Message != tt.want {
				t.Errorf("denial = %+v\nwant %s", decision.Denial, tt.want)
			}
		})
	}
}

func terminating(m *Metadata) { m.DeletionTimestamp = new(now) }

func create(changes ...func(*Metadata)) Request {
	return Request{New: &pod(changes...).Metadata, User: "jane", Time: now, Selectors: incident()}
}
