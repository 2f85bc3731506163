package collector

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/quarantine"
)

// logs adds the logs of all containers (init containers, sidecars, containers and ephemeral
// containers), and the previous log of each that was restarted.
func (c *Collector) logs(ctx context.Context, pod *corev1.Pod, _ *quarantine.Status) error {
	restarted := restartedContainers(pod)
	for _, container := range containerNames(pod) {
		if err := c.log(ctx, pod, container, false); err != nil {
			return err
		}
		if restarted[container] {
			if err := c.log(ctx, pod, container, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func containerNames(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.InitContainers {
		names = append(names, pod.Spec.InitContainers[i].Name)
	}
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for i := range pod.Spec.EphemeralContainers {
		names = append(names, pod.Spec.EphemeralContainers[i].Name)
	}
	return names
}

func restartedContainers(pod *corev1.Pod) map[string]bool {
	restarted := map[string]bool{}
	for _, statuses := range [][]corev1.ContainerStatus{
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses,
	} {
		for i := range statuses {
			if statuses[i].RestartCount > 0 || statuses[i].LastTerminationState.Terminated != nil {
				restarted[statuses[i].Name] = true
			}
		}
	}
	return restarted
}

func (c *Collector) log(ctx context.Context, pod *corev1.Pod, container string, previous bool) error {
	name := fmt.Sprintf("logs/%s.log", container)
	source := path(podsResource, pod.Namespace, pod.Name) + "/log?timestamps=true&container=" + container
	if previous {
		name, source = fmt.Sprintf("logs/%s.previous.log", container), source+"&previous=true"
	}
	return c.add(name, source, func(to io.Writer) error {
		stream, err := c.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: container, Previous: previous, Timestamps: true,
		}).Stream(ctx)
		if err != nil {
			return err
		}
		defer stream.Close()
		_, err = io.Copy(to, stream)
		return err
	})
}
