package quarantine

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAdvisories tests when each advisory is reported.
func TestAdvisories(t *testing.T) {
	const rs = "ReplicaSet/login-audit-trail-service-5d4f8"
	owner := pod().controllerRef()
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	apart := func(labels map[string]string) func(*Pod, namespace) {
		return func(p *Pod, _ namespace) {
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
					TopologyKey: "kubernetes.io/hostname", LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
				}},
			}}
		}
	}
	volume := Volume{PersistentVolumeClaim: &struct {
		ClaimName string `json:"claimName"`
	}{"data"}}
	tests := []struct {
		name   string
		change func(*Pod, namespace)
		want   string
		absent bool
	}{
		{"open connections", func(*Pod, namespace) {}, "Existing connections stay open.", false},
		{"a liveness probe", func(p *Pod, _ namespace) { p.Spec.Containers = []Container{{LivenessProbe: &struct{}{}}} },
			"Its liveness probe still restarts the container, which loses what is in memory.", false},
		{"no liveness probe", func(*Pod, namespace) {},
			"Its liveness probe still restarts the container, which loses what is in memory.", true},
		{"the last available pod", func(p *Pod, n namespace) { p.Status.Conditions = []corev1.PodCondition{ready}; n[2].Available = 1 },
			warning("This is the last available pod of %s: nothing serves until the replacement is Ready.", owner), false},
		{"one of two available pods", func(p *Pod, _ namespace) { p.Status.Conditions = []corev1.PodCondition{ready} },
			warning("This is the last available pod of %s: nothing serves until the replacement is Ready.", owner), true},
		{"anti-affinity against its own labels", apart(map[string]string{"component": "api-springboot"}),
			"Its replacement may not start while this pod exists: its anti-affinity excludes it from the same kubernetes.io/hostname.", false},
		{"anti-affinity against other labels", apart(map[string]string{"component": "db"}),
			"Its replacement may not start while this pod exists: its anti-affinity excludes it from the same kubernetes.io/hostname.", true},
		{"a volume", func(p *Pod, _ namespace) { p.Spec.Volumes = []Volume{volume} },
			"Its replacement may not start while this pod exists: it uses PersistentVolumeClaim/data.", false},
		{"the host network", func(p *Pod, _ namespace) { p.Spec.HostNetwork = true },
			"Its replacement may not start while this pod exists: it uses a host port.", false},
		{"a finished pod", func(p *Pod, _ namespace) { p.Status.Phase = corev1.PodFailed },
			warning("The pod has already finished, and %s may not replace it.", owner), false},
		{"scaled to zero", func(_ *Pod, n namespace) { n[2].Desired = 0 },
			rs + " is scaled to zero, so no replacement starts.", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := DefaultConfig()
			selectors, before := incident(), pod()
			tt.change(before, selectors)
			warnings := config.Decide(update(selectors, before, trigger)).Warnings
			if slices.Contains(warnings, tt.want) == tt.absent {
				t.Errorf("warnings: %q, want %q: %t", warnings, tt.want, !tt.absent)
			}
			if len(warnings) > maxWarnings || slices.ContainsFunc(warnings, func(w string) bool { return len([]rune(w)) > maxWarning }) {
				t.Errorf("too much: %q", warnings)
			}
		})
	}
}

func TestJobRedoesTheWork(t *testing.T) {
	config := DefaultConfig()
	selectors := namespace{selects(KindJob, "import", equals("release", "login-audit-trail-service"))}
	decision := config.Decide(update(selectors, pod(withoutOwner(), controller("batch/v1", "Job", "import")), trigger))
	if !slices.Contains(decision.Warnings, "Job/import will redo this pod's work.") {
		t.Errorf("%q", decision.Warnings)
	}
}
