package quarantine

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestCautions holds each sentence that is said only where it applies.
func TestCautions(t *testing.T) {
	const rs = "ReplicaSet/login-audit-trail-service-5d4f8"
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
		never  bool
	}{
		{"open connections", func(*Pod, namespace) {}, "Connections that are open stay open.", false},
		{"a liveness probe", func(p *Pod, _ namespace) { p.Spec.Containers = []Container{{LivenessProbe: &struct{}{}}} },
			"Its liveness probe still restarts the container, and a restart loses what is in memory.", false},
		{"no liveness probe", func(*Pod, namespace) {},
			"Its liveness probe still restarts the container, and a restart loses what is in memory.", true},
		{"the last available pod", func(p *Pod, n namespace) { p.Status.Conditions = []corev1.PodCondition{ready}; n[2].Available = 1 },
			fit("Nothing serves until the replacement is Ready: it was the last available pod of " + rs + "."), false},
		{"one of two", func(p *Pod, _ namespace) { p.Status.Conditions = []corev1.PodCondition{ready} },
			fit("Nothing serves until the replacement is Ready: it was the last available pod of " + rs + "."), true},
		{"anti-affinity against its like", apart(map[string]string{"component": "api-springboot"}),
			"Its replacement may not start while this pod runs: its anti-affinity keeps others out of its kubernetes.io/hostname.", false},
		{"anti-affinity against others", apart(map[string]string{"component": "db"}),
			"Its replacement may not start while this pod runs: its anti-affinity keeps others out of its kubernetes.io/hostname.", true},
		{"a volume", func(p *Pod, _ namespace) { p.Spec.Volumes = []Volume{volume} },
			"Its replacement may not start while this pod runs: it keeps PersistentVolumeClaim/data.", false},
		{"the host network", func(p *Pod, _ namespace) { p.Spec.HostNetwork = true },
			"Its replacement may not start while this pod runs: it keeps its node's port.", false},
		{"a finished pod", func(p *Pod, _ namespace) { p.Status.Phase = corev1.PodFailed },
			fit("The pod has finished already: nothing of it runs, and " + rs + " may not replace it."), false},
		{"scaled to zero", func(_ *Pod, n namespace) { n[2].Desired = 0 },
			rs + " wants no pods, so no replacement starts.", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := DefaultConfig()
			selectors, before := incident(), pod()
			tt.change(before, selectors)
			warnings := rules.Decide(update(selectors, before, trigger)).Warnings
			if slices.Contains(warnings, tt.want) == tt.never {
				t.Errorf("warnings: %q, want %q: %t", warnings, tt.want, !tt.never)
			}
			if len(warnings) > maxWarnings || slices.ContainsFunc(warnings, func(w string) bool { return len([]rune(w)) > maxWarning }) {
				t.Errorf("too much: %q", warnings)
			}
		})
	}
}

func TestAJobDoesTheWorkTwice(t *testing.T) {
	rules := DefaultConfig()
	selectors := namespace{selects(KindJob, "import", equals("release", "login-audit-trail-service"))}
	decision := rules.Decide(update(selectors, pod(withoutOwner(), controller("batch/v1", "Job", "import")), trigger))
	if !slices.Contains(decision.Warnings, "Job/import does the work of this pod a second time.") {
		t.Errorf("%q", decision.Warnings)
	}
}
