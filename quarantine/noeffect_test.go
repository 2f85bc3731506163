package quarantine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsWithoutEffectGetAWarning(t *testing.T) {
	config := DefaultConfig()
	quarantine := update(incident(), pod(), trigger)
	quarantined := *apply(t, quarantine.New, config.Decide(quarantine))
	terminating := func(m Metadata) *Pod {
		m.DeletionTimestamp = new(now.Add(time.Hour))
		return &Pod{Metadata: m}
	}
	ended := pod().Metadata
	ended.DeletionTimestamp = new(now.Truncate(time.Second))
	for _, tt := range []struct {
		name    string
		pod     *Pod
		request []func(*Metadata)
		want    []string
	}{
		{"hold on a terminating pod", terminating(quarantined), []func(*Metadata){annotation(HoldKey, True)},
			[]string{"This pod is already terminating: hold has no effect. Its grace period ends at 2026-03-14T16:09:26Z."}},
		{"extend on a terminating pod", terminating(quarantined), []func(*Metadata){annotation(ExtendKey, "2d")},
			[]string{"This pod is already terminating: extend has no effect. Its grace period ends at 2026-03-14T16:09:26Z."}},
		{"a release and a hold of a terminating pod", terminating(quarantined), []func(*Metadata){annotation(TriggerKey, False), annotation(HoldKey, True)},
			[]string{"This pod is already terminating: quarantine and hold have no effect. Its grace period ends at 2026-03-14T16:09:26Z."}},
		{"hold on a free pod that is terminating", terminating(pod().Metadata), []func(*Metadata){annotation(HoldKey, True)},
			[]string{"This pod is already terminating: hold has no effect. Its grace period ends at 2026-03-14T16:09:26Z."}},
		{"hold on a pod that only a finalizer keeps", &Pod{Metadata: ended}, []func(*Metadata){annotation(HoldKey, True)},
			[]string{"This pod is already terminating: hold has no effect. Its grace period ended at 2026-03-14T15:09:26Z."}},
		{"a hold that is withdrawn from a terminating pod", terminating(quarantined), []func(*Metadata){annotation(HoldKey, False)}, nil},
		{"another annotation on a terminating pod", terminating(quarantined), []func(*Metadata){annotation("team", "shop")}, nil},
		{"hold on a free pod", pod(), []func(*Metadata){annotation(HoldKey, True)},
			[]string{"This pod is not quarantined: isolate.example.io/hold has no effect until it is."}},
		{"a hold that is withdrawn from a free pod", pod(annotation(HoldKey, True)), []func(*Metadata){annotation(HoldKey, False)}, nil},
		{"ttl on a free pod", pod(), []func(*Metadata){annotation(TTLKey, "1h")},
			[]string{"This pod is not quarantined: isolate.example.io/ttl has no effect until it is."}},
		{"a release of a free pod", pod(), []func(*Metadata){annotation(TriggerKey, False)},
			[]string{"This pod is not quarantined, so there is nothing to release."}},
		{"another annotation on a free pod with a hold", pod(annotation(HoldKey, True)), []func(*Metadata){annotation("team", "shop")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			decision := config.Decide(update(incident(), tt.pod, tt.request...))
			if decision.Action != ActionNone || decision.Denial != nil || len(decision.Patch) > 0 {
				t.Errorf("%s: %+v, %v", decision.Action, decision.Denial, decision.Patch)
			}
			if diff := cmp.Diff(tt.want, decision.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAKeyInTheWrongMapIsRefusedWithTheCommand(t *testing.T) {
	config := DefaultConfig()
	const command = "kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/"
	for _, tt := range []struct {
		name    string
		request func(*Metadata)
		want    string
	}{
		{"the trigger as a label", label(TriggerKey, "true"), `metadata.labels[isolate.example.io/quarantine]: Invalid value: "true": ` +
			"is an annotation of isolate's, not a label. Set it with: " + command + "quarantine=true"},
		{"hold as a label", label(HoldKey, "true"), `metadata.labels[isolate.example.io/hold]: Invalid value: "true": ` +
			"is an annotation of isolate's, not a label. Set it with: " + command + "hold=true"},
		{"the label as an annotation", annotation(QuarantinedLabel, "true"), `metadata.annotations[isolate.example.io/quarantined]: Invalid value: "true": ` +
			"is a label that only isolate sets. To quarantine the pod: " + command + "quarantine=true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			denial := config.Decide(update(incident(), pod(), tt.request)).Denial
			if denial == nil || denial.Reason != ReasonMisplacedKey || len(denial.Invalid) != 1 {
				t.Fatalf("denial: %+v", denial)
			}
			if got := denial.Invalid[0].Error(); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			stored := pod(tt.request)
			if decision := config.Decide(update(incident(), stored, annotation("team", "shop"))); decision.Denial != nil {
				t.Errorf("what was stored before blocks a write: %+v", decision.Denial)
			}
		})
	}
}
