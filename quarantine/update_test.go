package quarantine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// quarantined is the incident's pod as a quarantine of 24 hours leaves it.
func quarantined(t *testing.T, changes ...func(*Metadata)) *Pod {
	t.Helper()
	rules := DefaultConfig()
	req := update(incident(), pod(), trigger)
	stored := clone(apply(t, req.New, rules.Decide(req)))
	for _, change := range changes {
		change(stored)
	}
	return &Pod{Metadata: *stored}
}

func without(key string) func(*Metadata) { return func(m *Metadata) { delete(m.Annotations, key) } }

func expires(in time.Duration) func(*Metadata) { return annotation(ExpiresAtKey, stampUp(now.Add(in))) }

// returned is a Service that selects what a quarantine has made of the labels.
func returned() namespace {
	return append(incident(), selects(KindService, "late", equals("release", "quarantined-login-audit-trail-service")))
}

func adopter() namespace {
	return append(incident(), selects(KindReplicaSet, "late", equals("release", "quarantined-login-audit-trail-service")))
}

var adopted = controllerRef("late")

func controllerRef(name string) func(*Metadata) {
	return func(m *Metadata) {
		owner("apps/v1", "ReplicaSet", name)(m)
		m.OwnerReferences[len(m.OwnerReferences)-1].Controller = new(true)
	}
}

// TestKeep is the table of what may happen to a quarantined pod. Every answer is
// asked for twice, as the API server does where another webhook changes the pod.
func TestKeep(t *testing.T) {
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
		{name: "an annotation of others", asked: []func(*Metadata){annotation("other", "x")}, want: ActionNone},
		{name: "a label that nothing selects by", asked: []func(*Metadata){label("other", "x")}, want: ActionNone,
			check: func(m *Metadata) bool { return m.Labels["other"] == "x" }},
		{name: "the reason", asked: []func(*Metadata){annotation(ReasonKey, "it leaks")}, want: ActionNone},
		{name: "force, recheck", asked: []func(*Metadata){annotation(ForceKey, "true"), annotation(RecheckKey, "1")}, want: ActionDropAnnotations,
			check: func(m *Metadata) bool { return m.Annotations[ForceKey]+m.Annotations[RecheckKey] == "" }},
		{name: "extend", asked: []func(*Metadata){annotation(ExtendKey, "2d")}, want: ActionExtend,
			check: func(m *Metadata) bool {
				_, lingers := m.Annotations[ExtendKey]
				return m.Annotations[ExpiresAtKey] == "2026-03-16T15:09:27Z" && !lingers
			},
			warning: "It is deleted at 2026-03-16T15:09:27Z, in 2d."},
		{name: "extend never shortens", asked: []func(*Metadata){annotation(ExtendKey, "1h")}, want: ActionDropAnnotations,
			check:   func(m *Metadata) bool { return m.Annotations[ExpiresAtKey] == "2026-03-15T15:09:27Z" },
			warning: "It is kept longer than that already: it is deleted at 2026-03-15T15:09:27Z, in 1d."},
		{name: "extend beyond the maximum", asked: []func(*Metadata){annotation(ExtendKey, "31d")}, want: ActionDeny, reason: ReasonInvalidValue},
		{name: "ttl set", asked: []func(*Metadata){annotation(TTLKey, "2d")}, want: ActionDeny, reason: ReasonInvalidValue},
		{name: "ttl removed", stored: []func(*Metadata){annotation(TTLKey, "2d")}, asked: []func(*Metadata){without(TTLKey)}, want: ActionNone},
		{name: "held", asked: []func(*Metadata){annotation(HoldKey, "true")}, want: ActionNone,
			warning: "It is held: isolate deletes it once hold is gone and 2026-03-15T15:09:27Z has passed."},
		{name: "hold withdrawn", stored: []func(*Metadata){annotation(HoldKey, "true")}, asked: []func(*Metadata){without(HoldKey)},
			want: ActionNone, warning: "It is deleted at 2026-03-15T15:09:27Z, in 1d."},
		{name: "hold withdrawn too late", stored: []func(*Metadata){annotation(HoldKey, "true"), expires(-time.Hour)},
			asked: []func(*Metadata){without(HoldKey)}, want: ActionNone, warning: "No longer held, and its time is up: it is deleted at once."},
		{name: "the label removed", asked: []func(*Metadata){withoutLabel(QuarantinedLabel)}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "expires-at moved", asked: []func(*Metadata){expires(time.Hour)}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "expires-at moved behind an extension", asked: []func(*Metadata){annotation(ExtendKey, "2d"), expires(100 * time.Hour)},
			want: ActionDeny, reason: ReasonRecordProtected},
		{name: "quarantined-by changed", asked: []func(*Metadata){annotation(QuarantinedByKey, "joe")}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "record changed", asked: []func(*Metadata){annotation(RecordKey, "{}")}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "record removed", asked: []func(*Metadata){without(RecordKey)}, want: ActionDeny, reason: ReasonRecordProtected},
		{name: "labels put back so that a Service matches", asked: []func(*Metadata){label("component", "api-springboot")},
			want: ActionDeny, reason: ReasonReselected},
		{name: "an owner added", asked: []func(*Metadata){owner("v1", "ConfigMap", "x")}, want: ActionDeny, reason: ReasonOwnerAdded},
		{name: "adopted by a controller that doesn't select it", asked: []func(*Metadata){controllerRef("late")},
			want: ActionDeny, reason: ReasonOwnerAdded},
		{name: "selected again through no fault of this request", selectors: returned(), asked: []func(*Metadata){annotation(RecheckKey, "1")},
			want: ActionDetach, warning: "Taken out again: Service/late had come to select this pod."},
		{name: "adopted by a controller that selects it", selectors: adopter(), asked: []func(*Metadata){adopted},
			want: ActionDetach, check: func(m *Metadata) bool { return len(m.OwnerReferences) == 0 }},
		{name: "taken out again and extended", selectors: returned(), asked: []func(*Metadata){annotation(ExtendKey, "2d")},
			want:  ActionDetach,
			check: func(m *Metadata) bool { return m.Annotations[ExpiresAtKey] == "2026-03-16T15:09:27Z" }},
		{name: "a bare-selector that can't be escaped hinders nobody",
			selectors: append(incident(), selects(KindReplicaSet, "all", notIn("env", "test"))), asked: []func(*Metadata){annotation("other", "x")},
			want: ActionDetach, warning: "ReplicaSet/all selects this quarantined pod, and no change of its labels takes it out."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := DefaultConfig()
			if tt.selectors == nil {
				tt.selectors = incident()
			}
			req := update(tt.selectors, quarantined(t, tt.stored...), tt.asked...)
			decision := rules.Decide(req)
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
				t.Fatalf("damaged: %v", status.Problem)
			}
			if tt.check != nil && !tt.check(stored) {
				t.Errorf("stored: %+v", stored)
			}
			if status.Record.Labels["release"] != "login-audit-trail-service" {
				t.Errorf("an original was overwritten: %v", status.Record.Labels)
			}
			again := req
			again.New, again.Time = clone(stored), again.Time.Add(3*time.Second)
			if diff := cmp.Diff(stored, clone(apply(t, again.New, rules.Decide(again)))); diff != "" {
				t.Errorf("deciding again changes something:\n%s", diff)
			}
			release := update(incident(), &Pod{Metadata: *stored}, without(TriggerKey), annotation(ForceKey, "true"))
			released := apply(t, release.New, rules.Decide(release))
			for key, original := range pod().Labels {
				if released.Labels[key] != original {
					t.Errorf("released with %s=%s", key, released.Labels[key])
				}
			}
		})
	}
}

func TestReleaseKeepsWhatOthersChanged(t *testing.T) {
	rules := DefaultConfig()
	before := quarantined(t, label("component", "mine"), label("new", "x"), annotation(KarpenterHint, "false"), annotation("other", "x"))
	req := update(incident(), before, without(TriggerKey))
	released := apply(t, req.New, rules.Decide(req))
	wantLabels := map[string]string{"component": "mine", "release": "login-audit-trail-service", "pod-template-hash": "5d4f8", "new": "x"}
	if diff := cmp.Diff(wantLabels, released.Labels); diff != "" {
		t.Errorf("labels:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{KarpenterHint: "false", "other": "x"}, released.Annotations); diff != "" {
		t.Errorf("annotations:\n%s", diff)
	}
}

// An owner that is gone would have the garbage collector delete the pod.
func TestReleaseRestoresOnlyOwnersThatExist(t *testing.T) {
	rules := DefaultConfig()
	all := append(incident(), selects(KindService, "front", equals("front", "x")), selects(KindService, "back", equals("back", "x")))
	all[len(all)-1].UID = "uid of another of that name"
	first := update(all, pod(owner("v1", "Service", "front"), owner("v1", "Service", "back"), owner("v1", "ConfigMap", "settings")), trigger)
	first.Old.OwnerReferences[1].BlockOwnerDeletion = new(true)
	stored := clone(apply(t, first.New, rules.Decide(first)))
	req := update(all, &Pod{Metadata: *stored}, without(TriggerKey))
	decision := rules.Decide(req)
	released := apply(t, req.New, decision)
	want := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: "front", UID: "uid-front"}}
	if diff := cmp.Diff(want, released.OwnerReferences); diff != "" {
		t.Error(diff)
	}
	if last := decision.Warnings[len(decision.Warnings)-1]; !strings.Contains(last, "ConfigMap/settings") {
		t.Errorf("warnings: %q", decision.Warnings)
	}
}

func TestReleaseOfAHeldPodThatWouldBeDeletedTakesForce(t *testing.T) {
	rules := DefaultConfig()
	held := quarantined(t, annotation(HoldKey, "true"))
	decision := rules.Decide(update(incident(), held, without(TriggerKey)))
	const want = "pod login-audit-trail-service-5d4f8-x2x is held, and once it is released ReplicaSet/login-audit-trail-service-5d4f8 " +
		"has one pod too many and deletes this pod; nothing was changed. To release it anyway: " +
		"kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine- isolate.example.io/force=true"
	if decision.Denial == nil || decision.Denial.Reason != ReasonHeld || decision.Denial.Message != want {
		t.Fatalf("%+v", decision.Denial)
	}
	forced := update(incident(), held, without(TriggerKey), annotation(ForceKey, "true"))
	released := clone(apply(t, forced.New, rules.Decide(forced)))
	again := forced
	again.New = released
	if diff := cmp.Diff(released, clone(apply(t, released, rules.Decide(again)))); diff != "" {
		t.Errorf("releasing again changes something:\n%s", diff)
	}
	gone := rules.Decide(update(incident()[:2], held, without(TriggerKey)))
	if gone.Action != ActionRelease {
		t.Errorf("nobody would delete it: %+v", gone.Denial)
	}
}

func TestADamagedPodCanOnlyBeReleased(t *testing.T) {
	rules := DefaultConfig()
	damaged := quarantined(t, annotation(ExpiresAtKey, "soon"))
	if decision := rules.Decide(update(incident(), damaged, annotation("other", "x"))); decision.Action != ActionNone || decision.Patch != nil {
		t.Errorf("%+v", decision)
	}
	req := update(incident(), damaged, without(TriggerKey))
	released := apply(t, req.New, rules.Decide(req))
	if diff := cmp.Diff(pod().Labels, released.Labels); diff != "" {
		t.Error(diff)
	}
	if len(released.Annotations) > 0 {
		t.Errorf("annotations: %v", released.Annotations)
	}
}

func TestRefusals(t *testing.T) {
	hostPort := pod(controller("apps/v1", "DaemonSet", "web"))
	hostPort.Spec.HostNetwork = true
	const ahead = "To go ahead anyway: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true isolate.example.io/force=true"
	tests := []struct {
		pod    *Pod
		reason Reason
		want   string
		always bool
	}{
		{pod: pod(controller("apps/v1", "StatefulSet", "web")), reason: ReasonStatefulSet,
			want: "StatefulSet/web can't start a replacement as long as pod login-audit-trail-service-5d4f8-x2x has the name: " +
				"the set would stay one pod short until this one is gone. Nothing was changed. " + ahead},
		{pod: hostPort, reason: ReasonHostPort,
			want: "pod login-audit-trail-service-5d4f8-x2x has a port of its node, so DaemonSet/web can't start a replacement beside it: " +
				"the node would go without until this one is gone. Nothing was changed. " + ahead},
		{pod: pod(controller("apps.kruise.io/v1", "StatefulSet", "web")), reason: ReasonUnknownController,
			want: "pod login-audit-trail-service-5d4f8-x2x belongs to StatefulSet/web, a kind that isolate does not know: " +
				"it may not replace the pod, or may take it back. Nothing was changed. " +
				"With every label rewritten, it leaves whatever selects it. " + ahead},
		{pod: pod(annotation(corev1.MirrorPodAnnotationKey, "hash")), reason: ReasonMirrorPod, always: true,
			want: "pod login-audit-trail-service-5d4f8-x2x is a static pod: its kubelet runs it from a file and doesn't look at its labels, " +
				"so nothing was changed. Move its manifest away on the node instead"},
	}
	for _, tt := range tests {
		t.Run(string(tt.reason), func(t *testing.T) {
			rules := DefaultConfig()
			decision := rules.Decide(update(incident(), tt.pod, trigger))
			if decision.Denial == nil || decision.Denial.Reason != tt.reason || decision.Denial.Message != tt.want {
				t.Fatalf("denial = %+v\nwant %s", decision.Denial, tt.want)
			}
			decision = rules.Decide(update(incident(), tt.pod, trigger, annotation(ForceKey, "true")))
			if forced := decision.Denial == nil; forced == tt.always {
				t.Errorf("forced: %+v", decision.Denial)
			}
		})
	}
}
