package quarantine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const howToRelease = "To release it: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine-"

// shop has a Service that selects by a label that another mutator sets.
func shop() namespace {
	return append(incident(), selects(KindService, "shop", equals("team", "shop")))
}

func TestQuarantineOverridesTheWritesLabelsAndOwners(t *testing.T) {
	tests := []struct {
		name      string
		selectors namespace
		stored    []func(*Metadata)
		asked     []func(*Metadata)
		labels    map[string]string
		want      string
	}{
		{
			name:  "a changed label that must be rewritten keeps its stored value as the original",
			asked: []func(*Metadata){label("release", "other")},
			want:  "Keeps label release=quarantined-login-audit-trail-service: Service/login-audit-trail-service selects pods by it.",
		},
		{
			name:  "a removed label that must be rewritten",
			asked: []func(*Metadata){withoutLabel("release")},
			want:  "Keeps label release=quarantined-login-audit-trail-service: Service/login-audit-trail-service selects pods by it.",
		},
		{
			name:      "an added label that a Service selects by",
			selectors: shop(),
			asked:     []func(*Metadata){label("team", "shop")},
			want:      "Removes label team: Service/shop selects pods by it.",
		},
		{
			name:      "a label that another mutator repeats",
			selectors: shop(),
			stored:    []func(*Metadata){label("team", "shop")},
			asked:     []func(*Metadata){label("team", "shop")},
			labels:    map[string]string{"team": "quarantined-shop"},
		},
		{
			name:      "a removed label whose absence is selected",
			selectors: append(incident(), selects(KindReplicaSet, "bare", absent("team"))),
			stored:    []func(*Metadata){label("team", "x")},
			asked:     []func(*Metadata){withoutLabel("team")},
			labels:    map[string]string{"team": "x"},
			want:      "Keeps label team=x: ReplicaSet/bare selects pods by it.",
		},
		{
			name:  "an added owner",
			asked: []func(*Metadata){owner("v1", "ConfigMap", "added")},
			want:  "Drops the ownerReferences to ConfigMap/added; a release restores those that still exist.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			if tt.selectors == nil {
				tt.selectors = incident()
			}
			req := update(tt.selectors, pod(tt.stored...), append(tt.asked, trigger)...)
			decision := config.Decide(req)
			stored := apply(t, req.New, decision)
			want := merged(map[string]string{
				"component": "quarantined-api-springboot", "release": "quarantined-login-audit-trail-service",
				"pod-template-hash": "quarantined-5d4f8", QuarantinedLabel: "true",
			}, tt.labels)
			if diff := cmp.Diff(want, stored.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if got := StatusOf(stored.Labels, stored.Annotations).Record.Labels["release"]; got != "login-audit-trail-service" {
				t.Errorf("the record has release=%q, want the stored value", got)
			}
			if len(stored.OwnerReferences) > 0 {
				t.Errorf("owners remain: %v", stored.OwnerReferences)
			}
			if warning := after(decision.Warnings, howToRelease); tt.want != "" && warning != tt.want {
				t.Errorf("warning = %q, want %q", warning, tt.want)
			}
		})
	}
}

// after returns the warning that follows this one.
func after(warnings []string, warning string) string {
	for i := range warnings[:len(warnings)-1] {
		if warnings[i] == warning {
			return warnings[i+1]
		}
	}
	return ""
}

func TestWriteToQuarantinedPodIsDetachedAgain(t *testing.T) {
	tests := []struct {
		name      string
		selectors namespace
		asked     []func(*Metadata)
		want      []string
	}{
		{
			name:  "a person restores a label",
			asked: []func(*Metadata){label("component", "api-springboot")},
			want:  []string{"Keeps label component=quarantined-api-springboot: Service/metrics selects pods by it.", howToRelease},
		},
		{
			name:      "a policy adds a label to every write",
			selectors: shop(),
			asked:     []func(*Metadata){label("team", "shop"), annotation(HoldKey, True)},
			want: []string{
				"Holds the pod: isolate deletes it only after 2026-03-15T15:09:27Z, once the hold is removed.",
				"Removes label team: Service/shop selects pods by it.", howToRelease,
			},
		},
		{
			name:  "an operator adds an owner",
			asked: []func(*Metadata){owner("v1", "ConfigMap", "x")},
			want:  []string{"Drops the ownerReference to ConfigMap/x: a quarantined pod has no owner.", howToRelease},
		},
		{
			name:      "a Service that selects the rewritten label, and a label of the write",
			selectors: reselected(),
			asked:     []func(*Metadata){label("component", "api-springboot")},
			want: []string{
				"Detaches the pod again, from Service/late.",
				"Keeps label component=quarantined-api-springboot: Service/metrics selects pods by it.", howToRelease,
			},
		},
		{
			name: "a GitOps tool replaces the pod with a manifest that has the trigger",
			asked: []func(*Metadata){func(m *Metadata) {
				m.Labels, m.Annotations = pod().Labels, map[string]string{TriggerKey: True}
			}},
			want: []string{
				"Keeps label component=quarantined-api-springboot: Service/login-audit-trail-service selects pods by it.", howToRelease,
				"Keeps label pod-template-hash=quarantined-5d4f8: ReplicaSet/login-audit-trail-service-5d4f8 selects pods by it.",
				"Keeps label release=quarantined-login-audit-trail-service: Service/login-audit-trail-service selects pods by it.",
				"Keeps isolate's label and record, which this write leaves out.",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			if tt.selectors == nil {
				tt.selectors = incident()
			}
			before := quarantined(t)
			req := update(tt.selectors, before, append(tt.asked, annotation("status", "kept"))...)
			decision := config.Decide(req)
			if decision.Action != ActionDetach {
				t.Fatalf("action = %s (%+v)", decision.Action, decision.Denial)
			}
			if diff := cmp.Diff(tt.want, decision.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			stored := clone(apply(t, req.New, decision))
			if left := blocking(tt.selectors.Matching(stored.Labels)); len(left) > 0 || len(stored.OwnerReferences) > 0 {
				t.Errorf("still attached to %v, owners %v", left, stored.OwnerReferences)
			}
			if stored.Annotations["status"] != "kept" {
				t.Errorf("the write's annotation is lost")
			}
			again := req
			again.New, again.Time = clone(stored), again.Time.Add(3*time.Second)
			if diff := cmp.Diff(stored, clone(apply(t, again.New, config.Decide(again)))); diff != "" {
				t.Errorf("deciding again changes something:\n%s", diff)
			}
		})
	}
}

// Replacing the pod with the manifest that it was created from, which has no trigger,
// releases it.
func TestReplacingWithoutTheTriggerReleases(t *testing.T) {
	config := DefaultConfig()
	req := update(incident(), quarantined(t), func(m *Metadata) { m.Labels, m.Annotations = pod().Labels, nil })
	decision := config.Decide(req)
	if decision.Action != ActionRelease || len(decision.Patch) > 0 {
		t.Fatalf("%+v", decision)
	}
}

// A write that omits only a part of the record forges it. One that omits all of it may be a
// replacement by a manifest.
func TestWriteThatLeavesOutAPartOfTheRecordIsRefused(t *testing.T) {
	config := DefaultConfig()
	for _, key := range recordAnnotations {
		if denial := config.Decide(update(incident(), quarantined(t), without(key))).Denial; denial == nil || denial.Reason != ReasonRecordProtected {
			t.Errorf("without %s: %+v", key, denial)
		}
	}
}

func TestAnnotationsThatLeaveNoRoomForTheRecordAreRefused(t *testing.T) {
	config := DefaultConfig()
	request := func(size int, changes ...func(*Metadata)) Request {
		return update(incident(), pod(annotation("status.example.com/config", strings.Repeat("x", size)), annotation("small", "x")),
			append(changes, trigger)...)
	}
	fits := request(0)
	room := maxAnnotationBytes - annotationBytes(apply(t, fits.New, config.Decide(fits)).Annotations)
	fits = request(room)
	if got := annotationBytes(apply(t, fits.New, config.Decide(fits)).Annotations); got != maxAnnotationBytes {
		t.Fatalf("annotations of %d bytes are stored, want %d", got, maxAnnotationBytes)
	}
	want := "with isolate's record, the annotations of pod login-audit-trail-service-5d4f8-x2x have 262149 bytes, 5 more than the API server allows. " +
		"Nothing was changed. Shorten or remove one of the largest, then retry: "
	denial := config.Decide(request(room + 5)).Denial
	if denial == nil || denial.Reason != ReasonAnnotationsTooLarge || !strings.HasPrefix(denial.Message, want+"status.example.com/config (26") {
		t.Fatalf("denial = %+v", denial)
	}
	if forced := config.Decide(request(room, annotation(ForceKey, True))); forced.Denial == nil {
		t.Error("force passes, although the API server would refuse the write")
	}
}

func TestRecordNamesAtMost32(t *testing.T) {
	config := DefaultConfig()
	services := incident()[2:]
	for range 40 {
		services = append(services, selects(KindService, strings.Repeat("x", len(services)), exists("release")))
	}
	req := update(services, pod(), trigger)
	decision := config.Decide(req)
	stored := apply(t, req.New, decision)
	record := StatusOf(stored.Labels, stored.Annotations).Record
	if len(record.DetachedFrom) != 32 || record.MoreDetachedFrom != 9 || record.DetachedFrom[31] != "ReplicaSet/login-audit-trail-service-5d4f8" {
		t.Errorf("detached from %q and %d more", record.DetachedFrom, record.MoreDetachedFrom)
	}
	if want := "Detaches the pod from Service/x, Service/xx, Service/xxx, Service/xxxx, Service/xxxxx, Service/xxxxxx and 35 more."; decision.Warnings[0] != want {
		t.Errorf("%q, want %q", decision.Warnings[0], want)
	}
}
