package quarantine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestDecide is the table of transitions, a case a row.
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
			name: "created with the label",
			req:  create(label(QuarantinedLabel, QuarantinedValue)),
			want: ActionDeny, reason: ReasonCreatedQuarantined,
		},
		{
			name: "created with annotations of ours: they go, those of others stay",
			req:  create(trigger, annotation(ForceKey, "true"), annotation(RecordKey, "{}"), annotation("other", "x")),
			want: ActionDropAnnotations,
			operations: `[{"op":"remove","path":"/metadata/annotations/isolate.example.io~1force"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1quarantine"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1record"}]`,
			warning: warnCreated,
		},
		{
			name: "created without any of ours",
			req:  create(annotation("other", "x")),
			want: ActionNone,
		},
		{
			name: "being deleted: a trigger does nothing and says so",
			req:  update(incident(), pod(deleting), trigger),
			want: ActionNone, warning: warnDeleting,
		},
		{
			name: "being deleted: even a bad value is nobody's concern",
			req:  update(incident(), pod(deleting), annotation(TTLKey, "soon")),
			want: ActionNone,
		},
		{
			name: "the trigger turns true",
			req:  update(incident(), pod(), trigger),
			want: ActionQuarantine,
		},
		{
			name: "the trigger turns from false to true",
			req:  update(incident(), pod(annotation(TriggerKey, "false")), trigger),
			want: ActionQuarantine,
		},
		{
			name: "a trigger that has been there all along does nothing",
			req:  update(incident(), pod(trigger), annotation("other", "x")),
			want: ActionNone,
		},
		{
			name: "the trigger turns false on a free pod",
			req:  update(incident(), pod(), annotation(TriggerKey, "false")),
			want: ActionNone,
		},
		{
			name: "the trigger has a value nobody should have typed",
			req:  update(incident(), pod(), annotation(TriggerKey, "True")),
			want: ActionDeny, reason: ReasonInvalidValue,
		},
		{
			name: "a bad value that was there before hinders nobody",
			req:  update(incident(), pod(annotation(HoldKey, "maybe")), trigger),
			want: ActionQuarantine,
		},
		{
			name: "a label to be rewritten is changed in the same request",
			req:  update(incident(), pod(), trigger, label("release", "other")),
			want: ActionDeny, reason: ReasonLabelConflict,
		},
		{
			name: "a label to be rewritten is removed in the same request",
			req:  update(incident(), pod(), trigger, withoutLabel("release")),
			want: ActionDeny, reason: ReasonLabelConflict,
		},
		{
			name: "a label that a selector matches is added in the same request",
			req:  update(append(incident(), selects(KindService, "new", equals("new", "yes"))), pod(), trigger, label("new", "yes")),
			want: ActionDeny, reason: ReasonLabelConflict,
		},
		{
			name: "a label whose absence is selected is removed in the same request",
			req:  update(append(incident(), selects(KindReplicaSet, "bare", absent("team"))), pod(label("team", "x")), trigger, withoutLabel("team")),
			want: ActionDeny, reason: ReasonInescapable,
		},
		{
			name: "another label is changed in the same request",
			req:  update(incident(), pod(), trigger, label("note", "x")),
			want: ActionQuarantine,
		},
		{
			name: "an owner is added in the same request",
			req:  update(incident(), pod(), trigger, owner("v1", "ConfigMap", "x")),
			want: ActionDeny, reason: ReasonOwnerConflict,
		},
		{
			name: "the record is written on a free pod",
			req:  update(incident(), pod(), annotation(ExpiresAtKey, "2026-03-14T15:09:26Z")),
			want: ActionDeny, reason: ReasonRecordProtected,
		},
		{
			name: "the label is written on a free pod",
			req:  update(incident(), pod(), label(QuarantinedLabel, QuarantinedValue)),
			want: ActionDeny, reason: ReasonRecordProtected,
		},
		{
			name: "force, extend and recheck on a free pod go",
			req:  update(incident(), pod(), annotation(ForceKey, "true"), annotation(ExtendKey, "1h"), annotation(RecheckKey, "1")),
			want: ActionDropAnnotations,
			operations: `[{"op":"remove","path":"/metadata/annotations/isolate.example.io~1extend"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1force"},` +
				`{"op":"remove","path":"/metadata/annotations/isolate.example.io~1recheck"}]`,
			warning: warnExtendFree,
		},
		{
			name: "force goes with the quarantine",
			req:  update(incident(), pod(), trigger, annotation(ForceKey, "true")),
			want: ActionQuarantine,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := DefaultConfig()
			decision := rules.Decide(tt.req)
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
				t.Errorf("force lingers")
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

// TestInvalidRequests holds the sentence for each bad value.
func TestInvalidRequests(t *testing.T) {
	const duration = "must be a duration such as 90s, 30m, 36h, 7d or 1d12h: whole numbers, units from large to small"
	tests := []struct{ key, value, want string }{
		{TriggerKey, "yes", `metadata.annotations[isolate.example.io/quarantine]: Invalid value: "yes": must be "true" or "false"`},
		{HoldKey, "", `metadata.annotations[isolate.example.io/hold]: Invalid value: "": must be "true" or "false"`},
		{ForceKey, "1", `metadata.annotations[isolate.example.io/force]: Invalid value: "1": must be "true"; it goes by itself once it has been read`},
		{TTLKey, "soon", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "soon": ` + duration},
		{TTLKey, "1.5h", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "1.5h": ` + duration},
		{TTLKey, "-1h", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "-1h": ` + duration},
		{TTLKey, "0", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "0": must be at least 1s and at most 30d`},
		{TTLKey, "500ms", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "500ms": must be at least 1s and at most 30d`},
		{TTLKey, "31d", `metadata.annotations[isolate.example.io/ttl]: Invalid value: "31d": must be at least 1s and at most 30d`},
		{ExtendKey, "99999999999999999999h", `metadata.annotations[isolate.example.io/extend]: Invalid value: "99999999999999999999h": ` + duration},
		{ReasonKey, strings.Repeat("ä", 1025), `metadata.annotations[isolate.example.io/reason]: Invalid value: "` +
			strings.Repeat("ä", 64) + `…": must have at most 1024 characters, has 1025`},
	}
	rules := DefaultConfig()
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.want[len(tt.want)-10:], func(t *testing.T) {
			decision := rules.Decide(update(incident(), pod(), annotation(tt.key, tt.value), trigger, annotation(tt.key, tt.value)))
			if decision.Denial == nil || decision.Denial.Reason != ReasonInvalidValue {
				t.Fatalf("denial = %+v, want %s", decision.Denial, ReasonInvalidValue)
			}
			if got := decision.Denial.Invalid.ToAggregate().Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("all of them at once", func(t *testing.T) {
		decision := rules.Decide(update(incident(), pod(), annotation(TTLKey, "x"), annotation(HoldKey, "x"), annotation(TriggerKey, "x")))
		if decision.Denial == nil || len(decision.Denial.Invalid) != 3 {
			t.Errorf("denial = %+v, want three fields", decision.Denial)
		}
	})
	t.Run("good values", func(t *testing.T) {
		for _, value := range []string{"1s", "90s", "30m", "36h", "7d", "1d12h", "30d", "4w"} {
			if decision := rules.Decide(update(incident(), pod(), annotation(TTLKey, value))); decision.Denial != nil {
				t.Errorf("ttl %s is denied: %v", value, decision.Denial.Invalid)
			}
		}
	})
}

func TestDenialsSayWhatToDo(t *testing.T) {
	rules := DefaultConfig()
	tests := []struct {
		name string
		req  Request
		want string
	}{
		{
			name: "record",
			req:  update(incident(), pod(), label(QuarantinedLabel, QuarantinedValue)),
			want: "only isolate writes the label isolate.example.io/quarantined and the record's annotations; " +
				"to quarantine the pod: kubectl annotate pod login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true",
		},
		{
			name: "inescapable",
			req:  update(namespace{selects(KindReplicaSet, "all", notIn("env", "test"))}, pod(), trigger),
			want: "no change of its labels takes pod login-audit-trail-service-5d4f8-x2x out of ReplicaSet/all, so nothing was changed. " +
				"Have that selector require a value of some label, then try again",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decision := rules.Decide(tt.req)
			if decision.Denial == nil || decision.Denial.Message != tt.want {
				t.Errorf("denial = %+v\nwant %s", decision.Denial, tt.want)
			}
		})
	}
}

func deleting(m *Metadata) { m.DeletionTimestamp = &metav1.Time{Time: now} }

func create(changes ...func(*Metadata)) Request {
	return Request{New: &pod(changes...).Metadata, User: "jane", Time: now, Selectors: incident()}
}
