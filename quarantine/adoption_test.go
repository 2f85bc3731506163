package quarantine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func readyAt(at time.Time) func(*Pod) {
	return func(p *Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at)}}
	}
}

func TestReleaseSaysWhatTheControllerDoes(t *testing.T) {
	const rs = "login-audit-trail-service-5d4f8"
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
	}{
		{"not Ready, at strength", incident(), unready, " has one pod too many: this one will be deleted at once."},
		{"Ready, at strength", incident(), ready, " has one pod too many and deletes one: it may be this one."},
		{"not Ready, nor is the replacement", counts(2, 2, 1), unready, " has one pod too many and deletes one: it may be this one."},
		{"Ready, and the replacement isn't", counts(2, 2, 1), ready, " has one pod too many and deletes one, first of all one that isn't Ready."},
		{"the replacement could not be made", counts(2, 1, 1), unready, " takes it back."},
		{"scaled to none", counts(0, 0, 0), ready, " wants no pods: this one will be deleted at once."},
		{"finished", incident(), finished, " takes no pod back that has finished: delete it when you are done."},
		{"gone", incident()[:2], ready, " is gone, so nobody owns this pod: delete it when you are done."},
		{"made again, with the same selector", with(func(s *SelectingObject) { s.UID = "new" }), unready, " has one pod too many: this one will be deleted at once."},
		{"selects something else by now", with(func(s *SelectingObject) { s.Requirements[0] = equals("x", "y") }), ready,
			" no longer selects this pod, so nobody owns it: delete it when you are done."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := DefaultConfig()
			before := quarantined(t)
			tt.change(before)
			decision := rules.Decide(update(tt.selectors, before, without(TriggerKey)))
			want := []string{"Released: it has its labels back, and what selects by them selects it again.", fit("ReplicaSet/" + rs + tt.want)}
			if decision.Action != ActionRelease || !cmp.Equal(decision.Warnings, want) {
				t.Errorf("%s: %q, want %q", decision.Action, decision.Warnings, want)
			}
		})
	}
}

func TestWhatOtherControllersDo(t *testing.T) {
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
		want   outcome
	}{
		{"a Job keeps the pod that was Ready first", job(none), "work-1", readyAt(at.Add(-time.Hour)), replacementGoes},
		{"which may be the other", job(none), "work-1", readyAt(at.Add(time.Minute)), maybeDeleted},
		{"a Job lets go who isn't Ready", job(none), "work-1", func(*Pod) {}, surelyDeleted},
		{"either where none is", job(func(s *SelectingObject) { s.Ready = 1 }), "work-1", func(*Pod) {}, maybeDeleted},
		{"a Job that lacks a pod", job(func(s *SelectingObject) { s.Current = 1 }), "work-1", func(*Pod) {}, takenBack},
		{"a Job that is suspended", job(func(s *SelectingObject) { s.Desired = 0 }), "work-1", func(*Pod) {}, notWanted},
		{"a Job that has ended", job(func(s *SelectingObject) { s.Desired, s.Ended = 0, true }), "work-1", func(*Pod) {}, ended},
		{"a DaemonSet keeps the elder", selects(KindDaemonSet, "agent"), "agent-1", func(*Pod) {}, replacementGoes},
		{"unless it has finished", selects(KindDaemonSet, "agent"), "agent-1", func(p *Pod) { p.Status.Phase = corev1.PodFailed }, surelyDeleted},
		{"a StatefulSet has waited", selects(KindStatefulSet, "db"), "db-1", func(*Pod) {}, takenBack},
		{"a StatefulSet that was scaled down", selects(KindStatefulSet, "db"), "db-2", func(*Pod) {}, maybeDeleted},
		{"a StatefulSet that was scaled to none", &SelectingObject{Kind: KindStatefulSet, Name: "db"}, "db-0", func(*Pod) {}, notWanted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pod := &Pod{Metadata: Metadata{Name: tt.pod}}
			tt.change(pod)
			if got := fateAt(pod, Status{QuarantinedAt: at}, tt.by); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
