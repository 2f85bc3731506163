package quarantine

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestAdvisories tests when each advisory is reported.
func TestAdvisories(t *testing.T) {
	const rs = "ReplicaSet/login-audit-trail-service-5d4f8"
	owner := pod().controllerRef()
	ready := Condition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	apart := func(labels map[string]string) func(*Pod, namespace) {
		return func(p *Pod, _ namespace) {
			p.Spec.Affinity.PodAntiAffinity.Required = []AntiAffinityTerm{{
				TopologyKey: "kubernetes.io/hostname", LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
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
		{"a liveness probe of a sidecar", func(p *Pod, _ namespace) {
			p.Spec.InitContainers = []Container{{LivenessProbe: &struct{}{}, RestartPolicy: corev1.ContainerRestartPolicyAlways}}
		}, "Its liveness probe still restarts the container, which loses what is in memory.", false},
		{"a liveness probe of a finished pod", func(p *Pod, _ namespace) {
			p.Spec.Containers, p.Status.Phase = []Container{{LivenessProbe: &struct{}{}}}, corev1.PodSucceeded
		}, "Its liveness probe still restarts the container, which loses what is in memory.", true},
		{"connections of a pending pod", func(p *Pod, _ namespace) { p.Status.Phase = corev1.PodPending }, "Existing connections stay open.", true},
		{"connections of a finished pod", func(p *Pod, _ namespace) { p.Status.Phase = corev1.PodFailed }, "Existing connections stay open.", true},
		{"connections of a pod that no Service selects", func(_ *Pod, n namespace) {
			n[0].Requirements, n[1].Requirements = n[0].Requirements[:0:0], n[1].Requirements[:0:0]
			n[0].Kind, n[1].Kind = KindPodDisruptionBudget, KindPodDisruptionBudget
		}, "Existing connections stay open.", true},
		{"the last available pod of a workload without a Service", func(p *Pod, n namespace) {
			p.Status.Conditions = []Condition{ready}
			n[0].Kind, n[1].Kind, n[2].Available = KindPodDisruptionBudget, KindPodDisruptionBudget, 1
		}, warning("This is the last available pod of %s.", owner), false},
		{"a PodDisruptionBudget that allows no disruption", func(p *Pod, n namespace) {
			p.Status.Conditions = []Condition{ready}
			n[1].Kind, n[1].NoDisruption = KindPodDisruptionBudget, true
		}, "PodDisruptionBudget/metrics allows no disruption at present; a quarantine ignores it.", false},
		{"a PodDisruptionBudget that allows no disruption, and doesn't count the pod", func(_ *Pod, n namespace) {
			n[1].Kind, n[1].NoDisruption = KindPodDisruptionBudget, true
		}, "PodDisruptionBudget/metrics allows no disruption at present; a quarantine ignores it.", true},
		{"a Spark driver", func(p *Pod, _ namespace) { p.Labels["spark-role"] = "driver" },
			"If the pod owns its executors, its deletion deletes them too.", false},
		{"a Spark executor", func(p *Pod, _ namespace) { p.Labels["spark-role"] = "executor" },
			"If the pod owns its executors, its deletion deletes them too.", true},
		{"a host port of a sidecar", func(p *Pod, _ namespace) {
			p.Spec.InitContainers = []Container{hostPort(corev1.ContainerRestartPolicyAlways)}
		}, "Its replacement may not start while this pod exists: it uses a host port.", false},
		{"a host port of an init container", func(p *Pod, _ namespace) { p.Spec.InitContainers = []Container{hostPort("")} },
			"Its replacement may not start while this pod exists: it uses a host port.", true},
		{"a host port of a finished pod", func(p *Pod, _ namespace) {
			p.Spec.Containers, p.Status.Phase = []Container{hostPort("")}, corev1.PodFailed
		}, "Its replacement may not start while this pod exists: it uses a host port.", true},
		{"a liveness probe", func(p *Pod, _ namespace) { p.Spec.Containers = []Container{{LivenessProbe: &struct{}{}}} },
			"Its liveness probe still restarts the container, which loses what is in memory.", false},
		{"no liveness probe", func(*Pod, namespace) {},
			"Its liveness probe still restarts the container, which loses what is in memory.", true},
		{"the last available pod", func(p *Pod, n namespace) { p.Status.Conditions = []Condition{ready}; n[2].Available = 1 },
			warning("This is the last available pod of %s: nothing serves until the replacement is Ready.", owner), false},
		{"the last pod of a workload, that has been evicted", func(p *Pod, n namespace) {
			p.Status.Conditions, p.Status.Phase, n[2].Available = []Condition{ready}, corev1.PodFailed, 1
		}, warning("This is the last available pod of %s: nothing serves until the replacement is Ready.", owner), true},
		{"one of two available pods", func(p *Pod, _ namespace) { p.Status.Conditions = []Condition{ready} },
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

// hostPort returns a container with a host port.
func hostPort(restart corev1.ContainerRestartPolicy) Container {
	c := Container{RestartPolicy: restart}
	c.Ports = append(c.Ports, struct {
		HostPort int32 `json:"hostPort"`
	}{8081})
	return c
}

func TestASidecarsHostPortIsRefusedLikeAnyOther(t *testing.T) {
	config := DefaultConfig()
	selectors := namespace{selects(KindDaemonSet, "agent", equals("release", "login-audit-trail-service"))}
	for name, tt := range map[string]struct {
		change func(*Pod)
		want   Reason
	}{
		"a container":       {func(p *Pod) { p.Spec.Containers = []Container{hostPort("")} }, ReasonHostPort},
		"a sidecar":         {func(p *Pod) { p.Spec.InitContainers = []Container{hostPort(corev1.ContainerRestartPolicyAlways)} }, ReasonHostPort},
		"an init container": {func(p *Pod) { p.Spec.InitContainers = []Container{hostPort("")} }, ""},
		"a finished pod": {func(p *Pod) {
			p.Spec.Containers, p.Status.Phase = []Container{hostPort("")}, corev1.PodFailed
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := pod(controller("apps/v1", "DaemonSet", "agent"))
			tt.change(before)
			var got Reason
			if denial := config.Decide(update(selectors, before, trigger)).Denial; denial != nil {
				got = denial.Reason
			}
			if got != tt.want {
				t.Errorf("denied with %q, want %q", got, tt.want)
			}
		})
	}
}

// Kubernetes' Job controller ignores such a Job, so isolate knows no controller that
// replaces the pod.
func TestAJobOfAnotherControllerIsUnknown(t *testing.T) {
	config := DefaultConfig()
	job := selects(KindJob, "train", equals("release", "login-audit-trail-service"))
	job.ManagedBy = "kueue.x-k8s.io/multikueue"
	before := pod(controller("batch/v1", "Job", "train"))
	denial := config.Decide(update(namespace{job}, before, trigger)).Denial
	const want = "pod login-audit-trail-service-5d4f8-x2x belongs to Job/train, which kueue.x-k8s.io/multikueue manages: " +
		"it might not replace the pod, or might adopt it again. Nothing was changed. With force, isolate rewrites every label of the pod. " +
		"To proceed anyway: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true isolate.example.io/force=true"
	if denial == nil || denial.Reason != ReasonUnknownController || denial.Message != want {
		t.Fatalf("denial: %+v", denial)
	}
	forced := update(namespace{job}, before, trigger, annotation(ForceKey, True))
	decision := config.Decide(forced)
	stored := apply(t, forced.New, decision)
	for key, value := range before.Labels {
		if stored.Labels[key] != "quarantined-"+value {
			t.Errorf("label %s is %q: another controller may select by it", key, stored.Labels[key])
		}
	}
	for _, unwanted := range []string{"Job/train should start a replacement.", "Job/train will redo this pod's work."} {
		if slices.Contains(decision.Warnings, unwanted) {
			t.Errorf("%q", decision.Warnings)
		}
	}
	release := update(namespace{job}, &Pod{Metadata: *stored}, without(TriggerKey))
	if warnings := config.Decide(release).Warnings; !slices.Contains(warnings, "Job/train is not known to isolate: check whether it adopts the pod.") {
		t.Errorf("%q", warnings)
	}
}

// isolate does not know how many pods a custom resource wants.
func TestAControllerOfACustomKind(t *testing.T) {
	cloneSet := selects(schema.GroupKind{Group: "apps.kruise.io", Kind: "CloneSet"}, "web", equals("component", "api-springboot"))
	cloneSet.Desired, cloneSet.Current, cloneSet.Ready, cloneSet.Available = 0, 0, 0, 0
	before := pod(controller("apps.kruise.io/v1alpha1", "CloneSet", "web"))
	req := update(namespace{cloneSet}, before, trigger)

	unknown := DefaultConfig()
	if denial := unknown.Decide(req).Denial; denial == nil || denial.Reason != ReasonUnknownController {
		t.Errorf("denial: %+v", denial)
	}
	forced := unknown.Decide(update(namespace{cloneSet}, before, trigger, annotation(ForceKey, True)))
	if !slices.Contains(forced.Warnings, "CloneSet/web is not known to isolate: check whether it starts a replacement.") {
		t.Errorf("%q", forced.Warnings)
	}
	replaces := DefaultConfig()
	replaces.ReplacingKinds = []schema.GroupKind{cloneSet.Kind}
	decision := replaces.Decide(req)
	stored := apply(t, req.New, decision)
	if !slices.Contains(decision.Warnings, "CloneSet/web should start a replacement.") {
		t.Errorf("%q", decision.Warnings)
	}
	if stored.Labels["component"] != "quarantined-api-springboot" || stored.Labels["release"] != "login-audit-trail-service" {
		t.Errorf("only the selector's keys are rewritten: %v", stored.Labels)
	}
}

func TestTheWarningsNameOtherRoutesToThePod(t *testing.T) {
	config := DefaultConfig()
	debug := selects(KindService, "quarantined-debug", equals(QuarantinedLabel, QuarantinedValue))
	decision := config.Decide(update(sliced{append(incident(), debug), []*EndpointSlice{
		{Name: "leader-1", Service: "leader", ManagedBy: "failover.example.com"}, {Name: "by-hand"},
	}}, pod(), trigger))
	for _, want := range []string{
		"EndpointSlice/leader-1 of Service/leader still lists this pod: failover.example.com manages it, not a selector.",
		"EndpointSlice/by-hand still lists this pod: it has no selector, and isolate can't change it.",
		"Service/quarantined-debug selects quarantined pods: it sends traffic to this one.",
	} {
		if !slices.Contains(decision.Warnings, want) {
			t.Errorf("%q lacks %q", decision.Warnings, want)
		}
	}
	if slices.Contains(decision.DetachedFrom, "Service/quarantined-debug") {
		t.Errorf("detached from %v", decision.DetachedFrom)
	}
}

// The leak guard and every later write find that such a Service matches.
func TestAServiceForQuarantinedPodsIsNoLeak(t *testing.T) {
	config := DefaultConfig()
	selectors := append(incident(), selects(KindService, "debug", equals(QuarantinedLabel, QuarantinedValue)))
	req := update(selectors, pod(), trigger)
	stored := apply(t, req.New, config.Decide(req))
	recheck := update(selectors, &Pod{Metadata: *stored}, annotation(RecheckKey, "now"))
	if decision := config.Decide(recheck); decision.Action != ActionDropAnnotations || len(decision.Warnings) > 0 {
		t.Errorf("%s: %q", decision.Action, decision.Warnings)
	}
}
