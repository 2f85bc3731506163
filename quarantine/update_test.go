package quarantine

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// quarantined returns the incident's pod after a quarantine for 24 hours.
func quarantined(t *testing.T, changes ...func(*Metadata)) *Pod {
	t.Helper()
	config := DefaultConfig()
	req := update(incident(), pod(), trigger)
	stored := clone(apply(t, req.New, config.Decide(req)))
	for _, change := range changes {
		change(stored)
	}
	return &Pod{Metadata: *stored}
}

func without(key string) func(*Metadata) { return func(m *Metadata) { delete(m.Annotations, key) } }

func expires(in time.Duration) func(*Metadata) { return annotation(ExpiresAtKey, stampUp(now.Add(in))) }

// reselected has a Service that selects the pod by a rewritten label.
func reselected() namespace {
	return append(incident(), selects(KindService, "late", equals("release", "quarantined-login-audit-trail-service")))
}

func adopter() namespace {
	return append(incident(), selects(KindReplicaSet, "late", equals("release", "quarantined-login-audit-trail-service")))
}

func detachedAgain(times int) func(*Metadata) bool {
	return func(m *Metadata) bool { return StatusOf(m.Labels, m.Annotations).Record.DetachedAgain == times }
}

var adopted = adoptedBy("late")

func adoptedBy(name string) func(*Metadata) {
	return func(m *Metadata) {
		owner("apps/v1", "ReplicaSet", name)(m)
		m.OwnerReferences[len(m.OwnerReferences)-1].Controller = new(true)
	}
}

// TestUpdateQuarantined tests T9 and T10. Each request is decided twice, as the API
// server does if another webhook changes the pod.
func TestUpdateQuarantined(t *testing.T) {
	tests := []struct {
		name      string
		selectors namespace
		stored    []func(*Metadata)
		asked     []func(*Metadata)
		want      Action
		reason    Reason
		check     func(m *Metadata) bool
		warning   string
	}{
		{name: "another annotation is set", asked: []func(*Metadata){annotation("other", "x")}, want: ActionNone},
		{name: "a label that no selector uses is set", asked: []func(*Metadata){label("other", "x")}, want: ActionNone,
			check: func(m *Metadata) bool { return m.Labels["other"] == "x" }},
		{name: "a reason is set", asked: []func(*Metadata){annotation(ReasonKey, "it leaks")}, want: ActionNone},
		{name: "force and recheck are removed", asked: []func(*Metadata){annotation(ForceKey, "true"), annotation(RecheckKey, "1")}, want: ActionDropAnnotations,
			check: func(m *Metadata) bool { return m.Annotations[ForceKey]+m.Annotations[RecheckKey] == "" }},
		{name: "extend", asked: []func(*Metadata){annotation(ExtendKey, "2d")}, want: ActionExtend,
			check: func(m *Metadata) bool {
				_, lingers := m.Annotations[ExtendKey]
				return m.Annotations[ExpiresAtKey] == "2026-03-16T15:09:27Z" && !lingers
			},
			warning: "Reschedules its deletion for 2026-03-16T15:09:27Z."},
		{name: "extend never shortens", asked: []func(*Metadata){annotation(ExtendKey, "1h")}, want: ActionDropAnnotations,
			check:   func(m *Metadata) bool { return m.Annotations[ExpiresAtKey] == "2026-03-15T15:09:27Z" },
			warning: "Already kept longer than that: its deletion stays scheduled for 2026-03-15T15:09:27Z."},
		{name: "extend beyond the maximum", asked: []func(*Metadata){annotation(ExtendKey, "31d")}, want: ActionDeny, reason: ReasonInvalidValue},
		{
			name: "ttl is set, which a policy may do on every write", asked: []func(*Metadata){annotation(TTLKey, "2d")}, want: ActionDropAnnotations,
			check:   func(m *Metadata) bool { return m.Annotations[TTLKey] == "" },
			warning: "Ignores isolate.example.io/ttl on a quarantined pod. To keep it longer: " + annotate(pod(), ExtendKey+"=24h"),
		},
		{
			name: "ttl is changed", stored: []func(*Metadata){annotation(TTLKey, "2d")}, asked: []func(*Metadata){annotation(TTLKey, "1h"), annotation(HoldKey, True)},
			want: ActionDropAnnotations, check: func(m *Metadata) bool { return m.Annotations[TTLKey] == "2d" && m.Annotations[HoldKey] == True },
		},
		{name: "ttl is removed", stored: []func(*Metadata){annotation(TTLKey, "2d")}, asked: []func(*Metadata){without(TTLKey)}, want: ActionNone},
		{name: "hold is set", asked: []func(*Metadata){annotation(HoldKey, "true")}, want: ActionNone,
			warning: "Holds the pod: isolate deletes it only after 2026-03-15T15:09:27Z, once the hold is removed."},
		{name: "hold is removed", stored: []func(*Metadata){annotation(HoldKey, "true")}, asked: []func(*Metadata){without(HoldKey)},
			want: ActionNone, warning: "Removes the hold: isolate deletes the pod at 2026-03-15T15:09:27Z."},
		{name: "hold is removed after the expiry", stored: []func(*Metadata){annotation(HoldKey, "true"), expires(-time.Hour)},
			asked: []func(*Metadata){without(HoldKey)}, want: ActionNone, warning: "Removes the hold of an expired pod: isolate deletes it at once."},
		{name: "the label is removed", asked: []func(*Metadata){withoutLabel(QuarantinedLabel)}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "expires-at is changed", asked: []func(*Metadata){expires(time.Hour)}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "expires-at is changed beyond an extension", asked: []func(*Metadata){annotation(ExtendKey, "2d"), expires(100 * time.Hour)},
			want: ActionDeny, reason: ReasonRecordProtected},
		{name: "quarantined-by is changed", asked: []func(*Metadata){annotation(QuarantinedByKey, "joe")}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "the record is changed", asked: []func(*Metadata){annotation(RecordKey, "{}")}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "the record is removed", asked: []func(*Metadata){without(RecordKey)}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "a label is restored so that a Service matches", asked: []func(*Metadata){label("component", "api-springboot")},
			want:  ActionDetach,
			check: func(m *Metadata) bool { return m.Labels["component"] == "quarantined-api-springboot" }},
		{name: "an owner is added", asked: []func(*Metadata){owner("v1", "ConfigMap", "x")}, want: ActionDetach,
			check: func(m *Metadata) bool { return len(m.OwnerReferences) == 0 }},
		{name: "a controller that does not select the pod adopts it", asked: []func(*Metadata){adoptedBy("late")},
			want:  ActionDetach,
			check: func(m *Metadata) bool { return len(m.OwnerReferences) == 0 }},
		{name: "a Service has come to select the pod", selectors: reselected(), asked: []func(*Metadata){annotation(RecheckKey, "1")},
			want: ActionDetach, check: detachedAgain(1), warning: "Detaches the pod again, from Service/late."},
		{name: "an owner was added while the webhook was not called", stored: []func(*Metadata){owner("v1", "ConfigMap", "x")},
			asked: []func(*Metadata){annotation("other", "x")}, want: ActionDetach, check: detachedAgain(1)},
		{name: "a controller that selects the pod adopts it", selectors: adopter(), asked: []func(*Metadata){adopted},
			want: ActionDetach, check: func(m *Metadata) bool { return len(m.OwnerReferences) == 0 }},
		{name: "a pod is detached again and extended", selectors: reselected(), asked: []func(*Metadata){annotation(ExtendKey, "2d")},
			want:  ActionDetach,
			check: func(m *Metadata) bool { return m.Annotations[ExpiresAtKey] == "2026-03-16T15:09:27Z" }},
		{name: "an inescapable selector blocks no write",
			selectors: append(incident(), selects(KindReplicaSet, "all", notIn("env", "test"))), asked: []func(*Metadata){annotation("other", "x")},
			want: ActionDetach, check: detachedAgain(0), warning: "ReplicaSet/all selects this quarantined pod, and no label change detaches it."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			if tt.selectors == nil {
				tt.selectors = incident()
			}
			req := update(tt.selectors, quarantined(t, tt.stored...), tt.asked...)
			decision := config.Decide(req)
			if decision.Action != tt.want {
				t.Fatalf("action = %s (%+v), want %s", decision.Action, decision.Denial, tt.want)
			}
			if decision.Denial != nil {
				if decision.Denial.Reason != tt.reason {
					t.Errorf("reason = %s, want %s", decision.Denial.Reason, tt.reason)
				}
				return
			}
			if tt.warning != "" && !cmp.Equal(decision.Warnings, []string{tt.warning}) {
				t.Errorf("warnings = %q, want %q", decision.Warnings, tt.warning)
			}
			stored := clone(apply(t, req.New, decision))
			status := StatusOf(stored.Labels, stored.Annotations)
			if status.State != Quarantined {
				t.Fatalf("the record is damaged: %v", status.Problem)
			}
			if tt.check != nil && !tt.check(stored) {
				t.Errorf("stored: %+v", stored)
			}
			if status.Record.Labels["release"] != "login-audit-trail-service" {
				t.Errorf("an original was overwritten: %v", status.Record.Labels)
			}
			again := req
			again.New, again.Time = clone(stored), again.Time.Add(3*time.Second)
			if diff := cmp.Diff(stored, clone(apply(t, again.New, config.Decide(again)))); diff != "" {
				t.Errorf("deciding again changes something:\n%s", diff)
			}
			release := update(incident(), &Pod{Metadata: *stored}, without(TriggerKey), annotation(ForceKey, "true"))
			released := apply(t, release.New, config.Decide(release))
			for key, original := range pod().Labels {
				if released.Labels[key] != original {
					t.Errorf("released with %s=%s", key, released.Labels[key])
				}
			}
		})
	}
}

func TestReleaseKeepsChangesByOthers(t *testing.T) {
	config := DefaultConfig()
	before := quarantined(t, label("component", "mine"), label("new", "x"), annotation(KarpenterHint, "false"), annotation("other", "x"))
	req := update(incident(), before, without(TriggerKey))
	released := apply(t, req.New, config.Decide(req))
	wantLabels := map[string]string{"component": "mine", "release": "login-audit-trail-service", "pod-template-hash": "5d4f8", "new": "x"}
	if diff := cmp.Diff(wantLabels, released.Labels); diff != "" {
		t.Errorf("labels:\n%s", diff)
	}
	kept := `{"labels":{"component":"api-springboot"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",` +
		`"name":"login-audit-trail-service-5d4f8","uid":"uid-login-audit-trail-service-5d4f8","controller":true,"blockOwnerDeletion":true}]}`
	if diff := cmp.Diff(map[string]string{KarpenterHint: "false", "other": "x", UnrestoredKey: kept}, released.Annotations); diff != "" {
		t.Errorf("annotations:\n%s", diff)
	}
}

// The garbage collector would delete a pod whose owner is gone.
func TestReleaseRestoresExistingOwners(t *testing.T) {
	config := DefaultConfig()
	all := append(incident(), selects(KindService, "front", equals("front", "x")), selects(KindService, "back", equals("back", "x")))
	all[len(all)-1].UID = "uid of another of that name"
	first := update(all, pod(owner("v1", "Service", "front"), owner("v1", "Service", "back"), owner("v1", "ConfigMap", "settings")), trigger)
	first.Old.OwnerReferences[1].BlockOwnerDeletion = new(true)
	stored := clone(apply(t, first.New, config.Decide(first)))
	req := update(all, &Pod{Metadata: *stored}, without(TriggerKey))
	decision := config.Decide(req)
	released := apply(t, req.New, decision)
	want := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: "front", UID: "uid-front"}}
	if diff := cmp.Diff(want, released.OwnerReferences); diff != "" {
		t.Error(diff)
	}
	if want := "Not restored, because isolate can't tell whether it still exists: owner Service/back and ConfigMap/settings."; !slices.Contains(decision.Warnings, want) {
		t.Errorf("warnings: %q, want %q", decision.Warnings, want)
	}
	lost := `{"ownerReferences":[{"apiVersion":"v1","kind":"Service","name":"back","uid":"uid-back"},` +
		`{"apiVersion":"v1","kind":"ConfigMap","name":"settings","uid":"uid-settings"}]}`
	if got := released.Annotations[UnrestoredKey]; got != lost {
		t.Errorf("unrestored: %s, want %s", got, lost)
	}
}

func TestDamagedPodCanOnlyBeReleased(t *testing.T) {
	config := DefaultConfig()
	damaged := quarantined(t, annotation(ExpiresAtKey, "soon"))
	if decision := config.Decide(update(incident(), damaged, annotation("other", "x"))); decision.Action != ActionNone || len(decision.Patch) > 0 {
		t.Errorf("%+v", decision)
	}
	req := update(incident(), damaged, without(TriggerKey))
	released := apply(t, req.New, config.Decide(req))
	if diff := cmp.Diff(pod().Labels, released.Labels); diff != "" {
		t.Error(diff)
	}
	if len(released.Annotations) > 0 {
		t.Errorf("annotations: %v", released.Annotations)
	}
}
