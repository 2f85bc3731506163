package quarantine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func readyAt(at time.Time) func(*Pod) {
	return func(p *Pod) {
		p.Status.Conditions = []Condition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at}}
	}
}

func TestReleaseWarningsPredictWhatTheControllerDoes(t *testing.T) {
	ready, unready := readyAt(time.Time{}), func(*Pod) {}
	finished := func(p *Pod) { p.Status.Phase = corev1.PodFailed }
	counts := func(desired, current, ready int32) namespace {
		all := incident()
		all[2].Desired, all[2].Current, all[2].Ready = desired, current, ready
		return all
	}
	with := func(change func(*SelectingObject)) namespace {
		all := incident()
		change(all[2])
		return all
	}
	tests := []struct {
		name      string
		selectors namespace
		change    func(*Pod)
		want      string
		lost      bool // the controller does not adopt the pod again
	}{
		{"the pod is not Ready and the replacement is", incident(), unready, " has one pod too many: it will delete this pod at once.", false},
		{"the pod and the replacement are Ready", incident(), ready, " has one pod too many and deletes one, maybe this one.", false},
		{"neither the pod nor the replacement is Ready", counts(2, 2, 1), unready, " has one pod too many and deletes one, maybe this one.", false},
		{"the pod is Ready and the replacement is not", counts(2, 2, 1), ready, " has one pod too many and deletes pods that are not Ready first.", false},
		{"there is no replacement", counts(2, 1, 1), unready, " adopts it.", false},
		{"the controller is scaled to zero", counts(0, 0, 0), ready, " is scaled to zero: it will delete this pod at once.", false},
		{"the pod has finished", incident(), finished, " adopts no finished pods: delete this one when you are done.", true},
		{"the controller is gone", incident()[:2], ready, " is gone, so nothing controls this pod: delete it when you are done.", true},
		{"the controller was recreated with the same selector", with(func(s *SelectingObject) { s.UID = "new" }), unready, " has one pod too many: it will delete this pod at once.", false},
		{"the controller's selector has changed", with(func(s *SelectingObject) { s.Requirements[0] = equals("x", "y") }), ready,
			" no longer selects this pod, so nothing controls it: delete it when you are done.", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			before := quarantined(t)
			tt.change(before)
			decision := config.Decide(update(tt.selectors, before, without(TriggerKey)))
			want := []string{warnReleased, warning("%s"+tt.want, pod().controllerRef())}
			if tt.lost {
				want = append(want, "The annotation isolate.example.io/unrestored keeps what is not restored.")
			}
			if decision.Action != ActionRelease || !cmp.Equal(decision.Warnings, want) {
				t.Errorf("%s: %q, want %q", decision.Action, decision.Warnings, want)
			}
		})
	}
}

func TestAdoptionByOtherControllers(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	job := func(change func(*SelectingObject)) *SelectingObject {
		s := selects(KindJob, "work")
		change(s)
		return s
	}
	none := func(*SelectingObject) {}
	for _, tt := range []struct {
		name   string
		by     *SelectingObject
		pod    string
		change func(*Pod)
		want   adoptionEffect
	}{
		{"a Job keeps the pod that became Ready first", job(none), "work-1", readyAt(at.Add(-time.Hour)), deletesReplacement},
		{"a Job may delete the pod that became Ready last", job(none), "work-1", readyAt(at.Add(time.Minute)), mayDeletePod},
		{"a Job deletes the pod that is not Ready", job(none), "work-1", func(*Pod) {}, deletesPod},
		{"a Job deletes either pod if none is Ready", job(func(s *SelectingObject) { s.Ready = 1 }), "work-1", func(*Pod) {}, mayDeletePod},
		{"a Job with no replacement adopts the pod", job(func(s *SelectingObject) { s.Current = 1 }), "work-1", func(*Pod) {}, adoptsPod},
		{"a suspended Job deletes the pod", job(func(s *SelectingObject) { s.Desired = 0 }), "work-1", func(*Pod) {}, scaledToZero},
		{"a Job that has ended adopts no pods", job(func(s *SelectingObject) { s.Desired, s.Ended = 0, true }), "work-1", func(*Pod) {}, jobEnded},
		{"a DaemonSet keeps the older pod", selects(KindDaemonSet, "agent"), "agent-1", func(*Pod) {}, deletesReplacement},
		{"a DaemonSet deletes a finished pod", selects(KindDaemonSet, "agent"), "agent-1", func(p *Pod) { p.Status.Phase = corev1.PodFailed }, deletesPod},
		{"a StatefulSet adopts the pod with its name", selects(KindStatefulSet, "db"), "db-1", func(*Pod) {}, adoptsPod},
		{"a StatefulSet scaled below the ordinal may delete the pod", selects(KindStatefulSet, "db"), "db-2", func(*Pod) {}, mayDeletePod},
		{"a StatefulSet scaled to zero deletes the pod", &SelectingObject{Kind: KindStatefulSet, Name: "db"}, "db-0", func(*Pod) {}, scaledToZero},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pod := &Pod{Metadata: Metadata{Name: tt.pod}}
			tt.change(pod)
			if got := effectOf(pod, Status{QuarantinedAt: at}, tt.by); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
