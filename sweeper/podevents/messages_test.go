package podevents

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
	"isolate.example.io/sweeper/internal/gen"
)

func TestTheNotesOfEvents(t *testing.T) {
	pod := gen.Pod(gen.OfReplicaSet())
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	left := func(controller *quarantine.SelectingObject) events.Event {
		return podLeftEvent(pod, corev1.ObjectReference{}, controller)
	}
	set := &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web", Desired: 3, Available: 2}
	stateful := &quarantine.SelectingObject{Kind: quarantine.KindStatefulSet, Name: "web", Desired: 3}
	scaledToZero := &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web"}
	for want, got := range map[string]events.Event{
		"Quarantined by jane until 2026-03-01T12:00:00Z. " +
			"To keep it: kubectl annotate pod -n ah web-1 isolate.example.io/hold=true. " +
			"To release it: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-. " +
			"Detached from Service/web, ReplicaSet/web": quarantinedEvent(pod, status),
		"Quarantined by jane until 2026-03-01T12:00:00Z. " +
			"To keep it: kubectl annotate pod -n ah web-1 isolate.example.io/hold=true. " +
			"To release it: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-. " +
			"Nothing selected it": quarantinedEvent(pod, quarantine.Status{By: "jane", ExpiresAt: gen.Noon}),
		"Pod web-1 was quarantined and is no longer controlled by this object; it is to start a replacement. " +
			"To inspect the pod: kubectl describe pod -n ah web-1": left(set),
		"Pod web-1 was quarantined and is no longer controlled by this object; it is scaled to zero, so no replacement starts. " +
			"To inspect the pod: kubectl describe pod -n ah web-1": left(scaledToZero),
		"Pod web-1 was quarantined and is no longer controlled by this object; check whether a replacement starts. " +
			"To inspect the pod: kubectl describe pod -n ah web-1": left(nil),
		"Pod web-1 was quarantined and is no longer controlled by this object; no replacement can start until the pod is deleted, because its name stays taken. " +
			"To inspect the pod: kubectl describe pod -n ah web-1": left(stateful),
		"isolate deletes this pod at 2026-03-01T12:00:00Z. To keep it longer: kubectl annotate pod -n ah web-1 isolate.example.io/extend=24h": expiresSoonEvent(pod, status),
		"Released: it is no longer quarantined, and isolate will not delete it. " +
			"To quarantine it again: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine=true": releasedEvent(pod),
		"The record of this quarantine is damaged, so isolate will not delete the pod: annotation isolate.example.io/record is missing. " +
			"To release it: kubectl annotate pod -n ah web-1 --overwrite isolate.example.io/quarantine=false. " +
			"To delete it: kubectl delete pod -n ah web-1": badRecordEvent(pod, errors.New("annotation isolate.example.io/record is missing")),
		"isolate will not delete this pod: the clock was behind. To set a new expiry: kubectl annotate pod -n ah web-1 isolate.example.io/extend=24h. " +
			"To release it: kubectl annotate pod -n ah web-1 isolate.example.io/quarantine-. To delete it: kubectl delete pod -n ah web-1": implausibleEvent(pod, errors.New("the clock was behind")),
		"Still terminating after 2026-03-01T12:00:00Z: finalizers a.example.com/b, c.example.com/d block it. " +
			"Ask their owners to remove them; isolate will not retry": stillTerminatingEvent(gen.Pod(gen.Terminating(gen.Noon), gen.Finalizers("a.example.com/b", "c.example.com/d"))),
		"Still terminating after 2026-03-01T12:00:00Z: its kubelet has not stopped it. Check its node; isolate will not retry. " +
			"If the node is gone for good: kubectl delete pod -n ah web-1 --force": stillTerminatingEvent(gen.Pod(gen.Terminating(gen.Noon))),
	} {
		require.Equal(t, want, got.Note)
	}
}
