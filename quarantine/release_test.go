package quarantine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReleaseRecordsWhatItCannotRestore(t *testing.T) {
	const keeps = "The annotation isolate.example.io/unrestored keeps what is not restored."
	argo := annotation(ArgoTrackingKey, "shop:Pod:ah/x")
	tests := []struct {
		name   string
		before []func(*Metadata) // the pod when it is quarantined
		since  []func(*Metadata)
		want   []string
		kept   string
	}{
		{name: "nothing is lost"},
		{
			name: "a label was removed", since: []func(*Metadata){withoutLabel("component")},
			want: []string{"Not restored, because changed since: label component.", keeps},
			kept: `{"labels":{"component":"api-springboot"}}`,
		},
		{
			name: "labels were changed", since: []func(*Metadata){label("component", "mine"), label("release", "mine")},
			want: []string{"Not restored, because changed since: label component and release.", keeps},
			kept: `{"labels":{"component":"api-springboot","release":"login-audit-trail-service"}}`,
		},
		{
			name: "a label has its original value already", since: []func(*Metadata){label("component", "api-springboot")},
		},
		{
			name: "an annotation was set", before: []func(*Metadata){argo}, since: []func(*Metadata){annotation(ArgoTrackingKey, "other")},
			want: []string{"Not restored, because changed since: annotation argocd.argoproj.io/tracking-id.", keeps},
			kept: `{"annotations":{"argocd.argoproj.io/tracking-id":"shop:Pod:ah/x"}}`,
		},
		{
			name: "an owner that isolate can't look up", before: []func(*Metadata){owner("v1", "ConfigMap", "settings")},
			want: []string{"Not restored, because isolate can't tell whether it still exists: owner ConfigMap/settings.", keeps},
			kept: `{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"settings","uid":"uid-settings"}]}`,
		},
		{
			name:  "an earlier release lost something too",
			since: []func(*Metadata){withoutLabel("component"), annotation(UnrestoredKey, `{"labels":{"component":"older","tier":"x"},"record":"{"}`)},
			want:  []string{"Not restored, because changed since: label component.", keeps},
			kept:  `{"labels":{"component":"api-springboot","tier":"x"},"record":"{"}`,
		},
		{
			name: "the record can't be read", since: []func(*Metadata){annotation(RecordKey, `{"labels":`)},
			want: []string{keeps},
			kept: `{"record":"{\"labels\":"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			// A ReplicaSet that has room for the pod, so that it is sure to adopt it.
			selectors := incident()
			selectors[2].Current = 1
			first := update(selectors, pod(append(tt.before, withoutController())...), trigger)
			before := clone(apply(t, first.New, config.Decide(first)))
			for _, change := range tt.since {
				change(before)
			}
			req := update(selectors, &Pod{Metadata: *before}, without(TriggerKey))
			decision := config.Decide(req)
			released := clone(apply(t, req.New, decision))
			if got := released.Annotations[UnrestoredKey]; got != tt.kept {
				t.Errorf("kept %s, want %s", got, tt.kept)
			}
			var warnings []string
			for _, warning := range decision.Warnings {
				if warning != warnReleased && warning != warnReleasedInPart && warning != warnDamaged && warning != "ReplicaSet/login-audit-trail-service-5d4f8 adopts it." {
					warnings = append(warnings, warning)
				}
			}
			if diff := cmp.Diff(tt.want, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			again := req
			again.New = clone(released)
			if diff := cmp.Diff(decision.Warnings, config.Decide(again).Warnings); diff != "" {
				t.Errorf("releasing again says something else:\n%s", diff)
			}
		})
	}
}

func withoutController() func(*Metadata) {
	return func(m *Metadata) {
		var others []metav1.OwnerReference
		for _, ref := range m.OwnerReferences {
			if !isController(ref) {
				others = append(others, ref)
			}
		}
		m.OwnerReferences = others
	}
}

func TestReleaseOfHeldPodThatWouldBeDeletedNeedsForce(t *testing.T) {
	config := DefaultConfig()
	held := quarantined(t, annotation(HoldKey, "true"))
	decision := config.Decide(update(incident(), held, without(TriggerKey)))
	const want = "pod login-audit-trail-service-5d4f8-x2x is held, but once it is released, " +
		"ReplicaSet/login-audit-trail-service-5d4f8 has one pod too many and deletes this one. Nothing was changed. To release it anyway: " +
		"kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine- isolate.example.io/force=true"
	if decision.Denial == nil || decision.Denial.Reason != ReasonHeld || decision.Denial.Message != want {
		t.Fatalf("%+v", decision.Denial)
	}
	forced := update(incident(), held, without(TriggerKey), annotation(ForceKey, "true"))
	released := clone(apply(t, forced.New, config.Decide(forced)))
	again := forced
	again.New = released
	if diff := cmp.Diff(released, clone(apply(t, released, config.Decide(again)))); diff != "" {
		t.Errorf("releasing again changes something:\n%s", diff)
	}
	gone := config.Decide(update(incident()[:2], held, without(TriggerKey)))
	if gone.Action != ActionRelease {
		t.Errorf("denied although no controller would delete it: %+v", gone.Denial)
	}
}

func TestReleaseOfHeldPodOfAnUnknownControllerNeedsForce(t *testing.T) {
	config := DefaultConfig()
	objects := incident()[:1]
	of := pod(controller("apps.kruise.io/v1alpha1", "CloneSet", "shop"))
	req := update(objects, of, annotation(TriggerKey, True), annotation(HoldKey, True), annotation(ForceKey, True))
	held := &Pod{Metadata: *apply(t, req.New, config.Decide(req))}
	denial := config.Decide(update(objects, held, without(TriggerKey))).Denial
	want := "pod " + of.Name + " is held, but once it is released, CloneSet/shop, which isolate does not know, " +
		"may adopt and delete it. Nothing was changed. To release it anyway: " +
		"kubectl annotate pod -n " + of.Namespace + " " + of.Name + " isolate.example.io/quarantine- isolate.example.io/force=true"
	if denial == nil || denial.Reason != ReasonHeld || denial.Message != want {
		t.Fatalf("%+v, want %s", denial, want)
	}
	if forced := config.Decide(update(objects, held, without(TriggerKey), annotation(ForceKey, True))); forced.Action != ActionRelease {
		t.Errorf("with force: %+v", forced.Denial)
	}
}
