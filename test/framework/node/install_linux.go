package node

import (
	"context"
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/manifests"
)

// Namespace is where the manifests install isolate.
const Namespace = "isolate-system"

// Install applies a kustomization of the shipped manifests, such as overlays/default, and
// returns when isolate's pods are Ready and the API server calls the webhook.
func (n *Node) Install(ctx context.Context, kustomization string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.install(ctx, kustomization); err != nil {
		return fmt.Errorf("installing isolate: %w", err)
	}
	return nil
}

func (n *Node) install(ctx context.Context, kustomization string) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	objects, err := manifests.Build(ctx, n.Kubectl(), filepath.Join(root, "manifests"), kustomization)
	if err != nil {
		return err
	}
	if err := n.Apply(ctx, objects...); err != nil {
		return err
	}
	if err := n.poll(ctx, "isolate's pods to be Ready", n.rolledOut); err != nil {
		return err
	}
	return n.poll(ctx, "the API server to call the webhook", n.webhookAnswers)
}

// rolledOut returns an error unless all replicas of isolate are Ready.
func (n *Node) rolledOut(ctx context.Context) error {
	deployments, err := n.client.AppsV1().Deployments(Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(deployments.Items) == 0 {
		return fmt.Errorf("namespace %s has no Deployments", Namespace)
	}
	for _, d := range deployments.Items {
		want := *d.Spec.Replicas
		if d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas != want || d.Status.AvailableReplicas != want || d.Status.Replicas != want {
			return fmt.Errorf("deployment %s has %d of %d replicas: %v", d.Name, d.Status.AvailableReplicas, want, d.Status.Conditions)
		}
	}
	return nil
}

// webhookAnswers returns an error unless the webhook removes the trigger from a new pod.
func (n *Node) webhookAnswers(ctx context.Context) error {
	pod, err := n.client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-", Annotations: map[string]string{quarantine.TriggerKey: quarantine.True}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil && len(pod.Annotations) > 0 {
		err = fmt.Errorf("the webhook left the annotations %v", pod.Annotations)
	}
	return err
}
