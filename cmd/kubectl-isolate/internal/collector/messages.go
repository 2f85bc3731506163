package collector

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// errCheckpoint says what to check after a checkpoint failed, unless it was refused.
func errCheckpoint(err error, pod *corev1.Pod, container *corev1.ContainerStatus) error {
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return err
	}
	_, id, _ := strings.Cut(container.ContainerID, "://")
	return fmt.Errorf("%w; the container may still be paused: if \"kubectl exec -n %s %s -c %s -- true\" says that it is, resume container %s on node %s, with containerd by \"ctr -n k8s.io tasks resume %[5]s\"",
		err, pod.Namespace, pod.Name, container.Name, id, pod.Spec.NodeName)
}
