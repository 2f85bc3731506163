package doctor

import (
	"context"
	"encoding/json"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// webhookSelector selects isolate's own webhook pods.
const webhookSelector = "app.kubernetes.io/name=isolate,app.kubernetes.io/component=webhook"

// answer quarantines a pod in a dry run: one of isolate's own pods, or else one in the
// namespace.
func (e *examination) answer(ctx context.Context) Result {
	pod, err := e.candidate(ctx)
	if err != nil {
		return unreadable("whether the webhook answers", err)
	}
	if pod == nil {
		return noCandidate(e.namespace)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID, "annotations": map[string]string{quarantine.TriggerKey: quarantine.True}}})
	if err != nil {
		return unreadable("whether the webhook answers", err)
	}
	after, err := e.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil && quarantine.StatusOf(after.Labels, after.Annotations).State == quarantine.Quarantined:
		return answered(pod)
	case err == nil:
		return notAsked(pod)
	case refusedByIsolate(err):
		return refused(pod, err)
	case apierrors.IsForbidden(err):
		return unreadable("whether the webhook answers", err)
	}
	return notAnswered(e.found.Namespace, err)
}

// refusedByIsolate reports whether an error is a denial by isolate's webhook, which gives
// its reason as the type of a cause.
func refusedByIsolate(err error) bool {
	status := (*apierrors.StatusError)(nil)
	if !errors.As(err, &status) || status.ErrStatus.Details == nil {
		return false
	}
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Type != "" {
			return true
		}
	}
	return false
}

// candidate returns a pod that could be quarantined, or nil if there is none.
func (e *examination) candidate(ctx context.Context) (*corev1.Pod, error) {
	own, errOwn := e.free(ctx, e.found.Namespace, webhookSelector)
	if own != nil {
		return own, nil
	}
	here, err := e.free(ctx, e.namespace, "")
	if here == nil && errOwn != nil && err != nil {
		return nil, err
	}
	return here, nil
}

func (e *examination) free(ctx context.Context, namespace, selector string) (*corev1.Pod, error) {
	list, err := e.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 50})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp == nil && quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free && pod.Annotations[quarantine.TriggerKey] == "" {
			return pod, nil
		}
	}
	return nil, nil
}
