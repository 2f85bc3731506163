package faults

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
)

// result is what a request has come to.
type result int

const (
	admitted result = iota
	refused
	// uncertain requests have no answer, or one that says so. They may have been stored.
	uncertain
)

// result counts a request by its error.
func (a *actor) result(err error) result {
	switch {
	case err == nil:
		a.counts.admitted.Add(1)
		return admitted
	case isRefusal(err):
		a.counts.refused.Add(1)
		return refused
	default:
		a.counts.ambiguous.Add(1)
		return uncertain
	}
}

// isRefusal reports whether an answer says that nothing was stored. Of the internal errors
// only those of webhooks do: they come before the write to etcd.
func isRefusal(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	if code == http.StatusInternalServerError {
		return strings.Contains(status.Status().Message, "webhook")
	}
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusRequestTimeout
}

func annotationPatch(annotations map[string]any) []byte {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		panic(err)
	}
	return patch
}

// requireIsolated checks a pod that an admitted write has quarantined. knowsService says that
// the actor's Service existed for longer than the webhook may not know of it.
func (a *actor) requireIsolated(stored *corev1.Pod, knowsService bool) {
	status := quarantine.StatusOf(stored.Labels, stored.Annotations)
	switch {
	case stored.DeletionTimestamp != nil: // Its ReplicaSet was faster: row T3.
	case status.State != quarantine.Quarantined:
		a.wrong("an OK for %s, which is %v (%v)", stored.Name, status.State, status.Problem)
	case len(stored.OwnerReferences) > 0:
		a.wrong("an OK for %s, which has the owners %v", stored.Name, stored.OwnerReferences)
	case stored.Labels["app"] == a.app["app"]:
		a.wrong("an OK for %s, which the ReplicaSet selects: %v", stored.Name, stored.Labels)
	case knowsService && stored.Labels["zone"] == a.zone["zone"]:
		a.wrong("an OK for %s, which Service %s selects, created %s ago: %v", stored.Name, a.service.name,
			time.Since(a.service.created).Round(time.Millisecond), stored.Labels)
	}
}

// requireUntouched checks that a refused write has changed nothing.
func (a *actor) requireUntouched(ctx context.Context, before *corev1.Pod, refusal error) {
	after := a.read(ctx, before)
	if after == nil {
		return
	}
	if !maps.Equal(before.Labels, after.Labels) || !maps.Equal(before.Annotations, after.Annotations) ||
		!slices.EqualFunc(before.OwnerReferences, after.OwnerReferences, func(a, b metav1.OwnerReference) bool { return a.UID == b.UID }) {
		a.wrong("the write to %s was refused (%v), and its metadata was\n%+v\nand is\n%+v", before.Name, refusal, before.ObjectMeta, after.ObjectMeta)
	}
}

// requireAllOrNothing checks that a write without an answer is stored as a whole or not at all.
func (a *actor) requireAllOrNothing(ctx context.Context, before *corev1.Pod, unanswered error) {
	after := a.read(ctx, before)
	if after == nil || after.DeletionTimestamp != nil {
		return
	}
	switch quarantine.StatusOf(after.Labels, after.Annotations).State {
	case quarantine.Free:
		a.requireUntouched(ctx, before, unanswered)
	default:
		a.requireIsolated(after, false)
	}
}

// read returns a pod as it is stored, or nil if it is gone, however long the API server is
// away.
func (a *actor) read(ctx context.Context, pod *corev1.Pod) (stored *corev1.Pod) {
	err := wait.PollUntilContextTimeout(context.WithoutCancel(ctx), waiting.Interval, waiting.Patience, true, func(ctx context.Context) (bool, error) {
		found, err := a.client.CoreV1().Pods(a.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err == nil && found.UID == pod.UID {
			stored = found
		}
		return err == nil || apierrors.IsNotFound(err), nil
	})
	if err != nil {
		a.wrong("pod %s can't be read: %v", pod.Name, err)
	}
	return stored
}
