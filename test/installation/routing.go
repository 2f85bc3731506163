package installation

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"isolate.example.io/quarantine"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// routed is the webhook configuration with a URL in place of the Service, and
// the authority that signed for it.
func routed(shipped *unstructured.Unstructured, port int, ca []byte) (*unstructured.Unstructured, error) {
	configuration := shipped.DeepCopy()
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil {
		return nil, err
	}
	for _, w := range webhooks {
		webhook, ok := w.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a webhook of %s is %T", shipped.GetName(), w)
		}
		path, _, err := unstructured.NestedString(webhook, "clientConfig", "service", "path")
		if err != nil {
			return nil, err
		}
		webhook["clientConfig"] = map[string]any{
			"url":      fmt.Sprintf("https://127.0.0.1:%d%s", port, path),
			"caBundle": base64.StdEncoding.EncodeToString(ca),
		}
	}
	return configuration, unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")
}

// waitForPolicies tries, without doing it, one write that each policy refuses,
// until all do.
func (i *Installation) waitForPolicies(ctx context.Context) error {
	dry := client.NewDryRunClient(i.client)
	target, err := i.aPod(ctx)
	if err != nil {
		return err
	}
	touch := func(object client.Object) { object.SetAnnotations(map[string]string{quarantine.ReasonKey: "probe"}) }
	return i.waitUntil(ctx, "the policies count", func(ctx context.Context) bool {
		born := probe()
		born.Labels = map[string]string{quarantine.LabelKey: quarantine.LabelValue}
		binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node-0"}}
		touch(binding)
		status := target.DeepCopy()
		touch(status)
		for _, err := range []error{
			dry.Create(ctx, born),
			dry.SubResource("binding").Create(ctx, target.DeepCopy(), binding),
			dry.Status().Patch(ctx, status, client.MergeFrom(target)),
		} {
			if status := apierrors.APIStatus(nil); !errors.As(err, &status) || !refusal(status.Status()) {
				return false
			}
		}
		return true
	})
}

func refusal(status metav1.Status) bool {
	return status.Reason == metav1.StatusReasonInvalid || status.Reason == metav1.StatusReasonForbidden
}

// waitForWebhook tries, without doing it, a write that only the webhook changes.
func (i *Installation) waitForWebhook(ctx context.Context) error {
	dry := client.NewDryRunClient(i.client)
	return i.waitUntil(ctx, "the webhook is asked", func(ctx context.Context) bool {
		pod := probe()
		pod.Annotations = map[string]string{quarantine.TriggerKey: quarantine.True}
		err := dry.Create(ctx, pod)
		return err == nil && len(pod.Annotations) == 0
	})
}

func (i *Installation) waitUntil(ctx context.Context, what string, condition func(context.Context) bool) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) { return condition(ctx), nil })
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}

// aPod is one of isolate's own, as the manifests create them.
func (i *Installation) aPod(ctx context.Context) (*corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := i.waitUntil(ctx, "there are pods in "+Namespace, func(ctx context.Context) bool {
		return i.client.List(ctx, pods, client.InNamespace(Namespace)) == nil && len(pods.Items) > 0
	})
	if err != nil {
		return nil, err
	}
	return &pods.Items[0], nil
}

func probe() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "probe-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
	}
}
