package sweeper

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
)

func TestWhatEventsSay(t *testing.T) {
	pod := quarantined(recorded)
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	set := &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web", Desired: 3, Available: 2}
	stateful := &quarantine.SelectingObject{Kind: quarantine.KindStatefulSet, Name: "web", Desired: 3}
	unwanted := &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web"}
	finalized := quarantined(terminating, func(pod *metav1.PartialObjectMetadata) {
		pod.Finalizers = []string{"a.example.com/b", "c.example.com/d"}
	})
	for want, got := range map[string]string{
		"Quarantined by jane, out of Service/web, ReplicaSet/web. It is deleted at 2026-03-01T12:00:00Z. " +
			"To keep it: kubectl annotate pod -n ah web-1 isolate.example.io/hold=true. " +
			"To release it: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-": noteQuarantined(pod, status),
		"Quarantined by jane, nothing selected it. It is deleted at 2026-03-01T12:00:00Z. " +
			"To keep it: kubectl annotate pod -n ah web-1 isolate.example.io/hold=true. " +
			"To release it: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-": noteQuarantined(pod,
			quarantine.Status{By: "jane", ExpiresAt: noon}),
		"Pod web-1 left, as it is quarantined; replacement starting. To see it: kubectl describe pod -n ah web-1":               noteLeft(pod, set),
		"Pod web-1 left, as it is quarantined; no replacement is wanted. To see it: kubectl describe pod -n ah web-1":           noteLeft(pod, unwanted),
		"Pod web-1 left, as it is quarantined; check whether a replacement starts. To see it: kubectl describe pod -n ah web-1": noteLeft(pod, nil),
		"Pod web-1 left, as it is quarantined; no replacement can start until it is deleted, as its name stays taken. " +
			"To see it: kubectl describe pod -n ah web-1": noteLeft(pod, stateful),
		"This pod is deleted at 2026-03-01T12:00:00Z. To keep it longer: kubectl annotate pod -n ah web-1 isolate.example.io/extend=24h": noteExpiresSoon(pod, status),
		"Deleted, as its time was up at 2026-03-01T12:00:00Z. To keep the next one longer, give it " +
			"isolate.example.io/extend, or isolate.example.io/hold=true": noteExpired(status),
		"Released: it is no longer quarantined, and isolate doesn't delete it. " +
			"To quarantine it again: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine=true": noteReleased(pod),
		"The record of this quarantine can't be relied on, so isolate never deletes the pod: annotation isolate.example.io/record is missing. " +
			"Release it: kubectl annotate pod -n ah web-1 --overwrite isolate.example.io/quarantine=false, " +
			"or delete it: kubectl delete pod -n ah web-1": noteBadRecord(pod, errors.New("annotation isolate.example.io/record is missing")),
		"This pod carries isolate.example.io/quarantine=true, but was never quarantined: only the moment in which it turns true counts. " +
			"To quarantine the pod: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-, " +
			"then kubectl annotate pod -n ah web-1 isolate.example.io/quarantine=true": noteIgnored(pod),
		"Service/late had come to select this quarantined pod, and it was taken out again. " +
			"Check the selector: kubectl describe -n ah Service/late": noteLeaked(pod, "Service/late"),
		"Service/late selects this quarantined pod, and it could not be taken out. Change that selector " +
			"(kubectl edit -n ah Service/late), or see whether isolate's webhook answers: isolate tries again": noteLeaking(pod, "Service/late"),
		"Was to be gone by 2026-03-01T12:00:00Z, but these finalizers keep it: a.example.com/b, c.example.com/d. " +
			"See to whoever they belong to; isolate doesn't delete it again": noteTerminating(finalized),
		"Was to be gone by 2026-03-01T12:00:00Z, but its kubelet has not ended it. Look after its node; isolate doesn't delete it again. " +
			"If the node is gone for good: kubectl delete pod -n ah web-1 --force": noteTerminating(quarantined(terminating)),
		"ReplicaSet/web has 2 of 3 pods available, 5m0s after pod web-1 was quarantined: exceeded quota": noteReplacementMissing(pod, set, 5*time.Minute, "exceeded quota"),
		"ReplicaSet/web has 2 of 3 pods available, 5m0s after pod web-1 was quarantined: " +
			"see kubectl describe -n ah ReplicaSet/web": noteReplacementMissing(pod, set, 5*time.Minute, ""),
		"no replacement can start until pod web-1 is gone, as its name is taken. " +
			"To make room: kubectl delete pod -n ah web-1": whyNameTaken(pod),
		"pod web-2 can't be scheduled: 0/3 nodes are available":                          whyUnscheduled("web-2", "0/3 nodes are available"),
		"container app of pod web-2 is in CrashLoopBackOff; see kubectl logs --previous": whyWaiting("web-2", "app", "CrashLoopBackOff"),
		"pod web-2 is not Ready; see kubectl describe":                                   whyUnready("web-2"),
	} {
		require.Equal(t, want, got)
	}
}
