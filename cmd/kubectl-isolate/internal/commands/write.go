package commands

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// annotations are the changes of one write; nil removes the annotation.
type annotations map[string]*string

// write changes annotations of this pod, and returns the pod as the server stores it, or
// would in a dry run. If another pod has the name by now, the server returns a conflict.
func write(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, changes annotations, dryRun bool) (*corev1.Pod, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID, "annotations": changes}})
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: fieldManager}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	after, err := client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, options)
	if err != nil && ctx.Err() != nil && !dryRun {
		return nil, exitError{exitInterrupted, errWriteInterrupted(pod)}
	}
	return after, err
}

// try does a write as a dry run. It returns the pod as it would be stored, and the server's
// warnings.
func (s *session) try(ctx context.Context, pod *corev1.Pod, changes annotations) (after *corev1.Pod, says []string, err error) {
	heard := &warningList{}
	client, err := s.client(heard)
	if err != nil {
		return nil, nil, err
	}
	after, err = write(ctx, client, pod, changes, true)
	return after, heard.texts, err
}
