package admission

import (
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
)

// live runs the life of two quarantined pods: one is released, one expires.
func live(n *namespace, pods []corev1.Pod) {
	expiring, kept := &pods[0], &pods[1]
	expires := n.enter(expiring, quarantine.TTLKey, "2s")
	if entered := n.enter(kept, quarantine.TTLKey, "12h"); entered != nil {
		waiting.Until(n, func() bool { return n.thirdParties.lastWord() || !n.serves(kept.Name) }, "the quarantined pod is in no Service")
		if n.thirdParties.any(thirdParty.returnsToReplicaSet) {
			return
		}
		if !n.thirdParties.later() && !n.thirdParties.removesRecord() {
			n.mustStayOut(kept.Name)
		}
		n.stay(kept.Name)
		n.leak(kept.Name)
		n.write("withdrawing the hold", kept.Name, without(quarantine.HoldKey))
		n.release(kept)
		n.requireStayedOut()
	}
	if expires != nil {
		n.expire(expires)
	}
}

// enter quarantines the pod and returns the stored pod, or nil if that is refused.
func (n *namespace) enter(pod *corev1.Pod, with ...string) *corev1.Pod {
	n.Helper()
	before := n.read(pod.Name)
	done := n.delay()
	a := n.write("quarantine", pod.Name, annotations(append(with, quarantine.TriggerKey, quarantine.True)...))
	done()
	if a.err == nil {
		n.requireOut(a)
		n.controlled() // Its replacement.
		return a.pod
	}
	if n.thirdParties.lastWord() && !n.thirdParties.refusedBy(a.err) {
		assert.Regexp(n, attaches, a.err.Error(), "a refusal names what attaches the pod again")
	} else {
		n.requireAllowed(a)
	}
	after := n.read(pod.Name)
	assert.Equal(n, before.Labels, after.Labels, "a refused quarantine changes nothing")
	assert.Equal(n, before.Annotations, after.Annotations, "a refused quarantine changes nothing")
	assert.Equal(n, before.OwnerReferences, after.OwnerReferences, "a refused quarantine changes nothing")
	return nil
}

// attaches matches the message of a refusal because of a change after isolate.
var attaches = regexp.MustCompile(`sets label (team=shop|tier=gold|app=web).* by which (Service|ReplicaSet)/(shop|gold|web) would still select|` +
	`owner ClusterRole/operator|isolate's webhook did not see this write|changes the record of pod`)

// delay makes a slow webhook respond in the next second, so that answers before and after
// it could have different times.
func (n *namespace) delay() (done func()) {
	if !n.thirdParties.slow() {
		return func() {}
	}
	hooks.waits.Store(n.name, func() {
		<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	})
	return func() { hooks.waits.Delete(n.name) }
}

// stay makes the writes to a quarantined pod that third parties are allowed to make.
func (n *namespace) stay(pod string) {
	n.Helper()
	for _, write := range []struct {
		name   string
		change metadata
		effect func(stored *corev1.Pod) bool
		unseen bool // by isolate's webhook, so that a controller needs no webhook for it
	}{
		{"hold", annotations(quarantine.HoldKey, quarantine.True), func(stored *corev1.Pod) bool {
			return n.thirdParties.touch(quarantine.HoldKey) || stored.Annotations[quarantine.HoldKey] == quarantine.True
		}, n.thirdParties.touch(quarantine.HoldKey)}, // Nothing is left of the write.
		{"extend", annotations(quarantine.ExtendKey, "2d"), func(stored *corev1.Pod) bool {
			return expiresAt(stored).After(time.Now().Add(47 * time.Hour))
		}, false},
		{"reason", annotations(quarantine.ReasonKey, "it hangs"), func(stored *corev1.Pod) bool {
			return stored.Annotations[quarantine.ReasonKey] == "it hangs"
		}, false},
		{"a process labels its own pod", metadata{"labels": map[string]any{"team": "shop"}, "annotations": map[string]any{domain + "status": "leader"}},
			func(stored *corev1.Pod) bool { return stored.Annotations[domain+"status"] == "leader" }, false},
		{"a finalizer is added", metadata{"finalizers": []string{domain + "job"}}, nil, true},
		{"finalizers are removed", metadata{"finalizers": nil}, nil, true},
		{"an owner is added", metadata{"ownerReferences": []metav1.OwnerReference{keeper}}, nil, false},
		{"recheck", annotations(quarantine.RecheckKey, time.Now().Format(time.RFC3339)), func(stored *corev1.Pod) bool {
			return stored.Annotations[quarantine.RecheckKey] == ""
		}, false},
	} {
		a := n.write(write.name, pod, write.change)
		if !n.requireAllowed(a) {
			continue
		}
		switch {
		case n.thirdParties.lastWord() || n.thirdParties.removesRecord():
		case n.thirdParties.later() && write.unseen:
			n.untilOut(pod)
		default:
			n.requireOut(a)
		}
		assert.True(n, write.effect == nil || write.effect(a.pod) || n.thirdParties.removesRecord(), "%s had no effect", write.name)
	}
}

// untilOut waits until the sweeper has made the webhook detach the pod from what selects it.
func (n *namespace) untilOut(pod string) {
	n.Helper()
	if n.thirdParties.refusesSweeper() {
		return
	}
	waiting.Until(n, func() bool { return len(n.selecting(n.read(pod).Labels)) == 0 && !n.serves(pod) }, "the pod is detached again")
}

// leak creates a Service that selects the quarantined pod.
func (n *namespace) leak(name string) {
	n.Helper()
	pod := n.read(name)
	n.late = map[string]string{"app": pod.Labels["app"]}
	if n.late["app"] == podLabels["app"] || n.late["app"] == "" {
		n.late = nil
		return // It leaks already, because of a change after isolate.
	}
	n.serve("late", n.late)
	if !n.thirdParties.lastWord() {
		n.untilOut(name)
	}
}

// release releases the pod, and requires that everything is restored.
func (n *namespace) release(original *corev1.Pod) {
	n.Helper()
	quarantined := n.read(original.Name)
	record := quarantine.StatusOf(quarantined.Labels, quarantined.Annotations).Record
	n.mustStayOut("")
	done := n.delay()
	a := n.write("release", original.Name, without(quarantine.TriggerKey))
	done()
	if !n.requireAllowed(a) {
		return
	}
	if n.thirdParties.touch(quarantine.TriggerKey) || n.thirdParties.removesRecord() {
		return // Another one sets the trigger again, or has removed the record.
	}
	assert.NotContains(n, a.pod.Labels, quarantine.QuarantinedLabel)
	for key, value := range original.Labels {
		_, rewritten := record.Labels[key]
		n.requireBack(a, "label "+key, key, value, a.pod.Labels[key], rewritten)
	}
	for key, value := range original.Annotations {
		_, changed := record.Annotations[key]
		n.requireBack(a, "annotation "+key, key, value, a.pod.Annotations[key], changed)
	}
	for _, ref := range original.OwnerReferences {
		now := ""
		for _, o := range a.pod.OwnerReferences {
			if o.UID == ref.UID {
				now = string(o.UID)
			}
		}
		if ref.Controller == nil || !*ref.Controller { // The controller adopts the pod by its labels.
			n.requireBack(a, "owner "+ref.Name, ref.Name, string(ref.UID), now, true)
		}
	}
}

// requireBack fails if an original value is lost: it is neither restored, nor named in the
// answer and kept on the pod. Others may have changed what isolate did not touch.
func (n *namespace) requireBack(a answer, what, name, was, is string, ours bool) {
	n.Helper()
	if is == was || (!ours && n.thirdParties.touch(name)) {
		return
	}
	assert.Contains(n, strings.Join(a.warnings, "\n"), name, "%s was %q and is %q: the answer names it", what, was, is)
	assert.Contains(n, a.pod.Annotations[unrestoredKey], was, "%s was %q and is %q: the pod keeps it", what, was, is)
}

const unrestoredKey = quarantine.Domain + "unrestored"

func (n *namespace) read(name string) *corev1.Pod {
	n.Helper()
	pod, err := admin.CoreV1().Pods(n.name).Get(n.Context(), name, metav1.GetOptions{})
	require.NoError(n, err)
	return pod
}

// expire waits until the pod is deleted, and requires that it had expired.
func (n *namespace) expire(stored *corev1.Pod) {
	n.Helper()
	if n.thirdParties.touch(quarantine.TTLKey) || n.thirdParties.removesRecord() {
		return // It may stay.
	}
	waiting.Until(n, func() bool {
		pod, err := admin.CoreV1().Pods(n.name).Get(n.Context(), stored.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err) || err == nil && pod.DeletionTimestamp != nil
	}, "the pod is deleted")
	require.False(n, time.Now().Before(expiresAt(stored)), "the pod was deleted early")
}
