package quarantine

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestRefusals(t *testing.T) {
	hostPort := pod(controller("apps/v1", "DaemonSet", "web"))
	hostPort.Spec.HostNetwork = true
	const proceed = "To proceed anyway: kubectl annotate pod -n ah login-audit-trail-service-5d4f8-x2x isolate.example.io/quarantine=true isolate.example.io/force=true"
	tests := []struct {
		pod    *Pod
		reason Reason
		want   string
		always bool
	}{
		{pod: pod(controller("apps/v1", "StatefulSet", "web")), reason: ReasonStatefulSet,
			want: "StatefulSet/web can't start a replacement while pod login-audit-trail-service-5d4f8-x2x exists, " +
				"because the replacement needs the same name. Nothing was changed. " + proceed},
		{pod: hostPort, reason: ReasonHostPort,
			want: "pod login-audit-trail-service-5d4f8-x2x uses a host port, so DaemonSet/web can't run a replacement " +
				"on the same node until this pod is gone. Nothing was changed. " + proceed},
		{pod: pod(controller("apps.kruise.io/v1", "StatefulSet", "web")), reason: ReasonUnknownController,
			want: "pod login-audit-trail-service-5d4f8-x2x belongs to StatefulSet/web, a kind that isolate does not know: " +
				"it might not replace the pod, or might adopt it again. Nothing was changed. " +
				"With force, isolate rewrites every label of the pod. " + proceed},
		{pod: pod(annotation(corev1.MirrorPodAnnotationKey, "hash")), reason: ReasonMirrorPod, always: true,
			want: "pod login-audit-trail-service-5d4f8-x2x is a static pod: its kubelet runs it from a file and ignores its labels. " +
				"Nothing was changed. Move its manifest away on the node instead"},
	}
	for _, tt := range tests {
		t.Run(string(tt.reason), func(t *testing.T) {
			config := DefaultConfig()
			decision := config.Decide(update(incident(), tt.pod, trigger))
			if decision.Denial == nil || decision.Denial.Reason != tt.reason || decision.Denial.Message != tt.want {
				t.Fatalf("denial = %+v\nwant %s", decision.Denial, tt.want)
			}
			decision = config.Decide(update(incident(), tt.pod, trigger, annotation(ForceKey, "true")))
			if forced := decision.Denial == nil; forced == tt.always {
				t.Errorf("forced: %+v", decision.Denial)
			}
		})
	}
}
