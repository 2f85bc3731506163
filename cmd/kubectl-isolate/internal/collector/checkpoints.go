package collector

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// checkpointTimeout is how long the kubelet waits for the runtime. Without it, the kubelet
	// cancels after its runtimeRequestTimeout, two minutes by default, and containerd doesn't
	// resume a container whose checkpoint is cancelled.
	checkpointTimeout = 5 * time.Minute

	// answerTimeout is longer: a request that the plugin gives up is cancelled as well.
	answerTimeout = checkpointTimeout + time.Minute
)

// checkpoints asks the kubelet for a checkpoint of each running container. The kubelet
// writes them to a file on its node; the archive has the path.
func (c *Collector) checkpoints(ctx context.Context, pod *corev1.Pod) error {
	for i := range pod.Status.ContainerStatuses {
		container := &pod.Status.ContainerStatuses[i]
		if container.State.Running == nil {
			continue
		}
		target := fmt.Sprintf("/api/v1/nodes/%s/proxy/checkpoint/%s/%s/%s", pod.Spec.NodeName, pod.Namespace, pod.Name, container.Name)
		err := c.add(fmt.Sprintf("checkpoint/%s.json", container.Name), target, func(to io.Writer) error {
			answer, err := c.checkpoint(ctx, target)
			if err != nil {
				return errCheckpoint(err, pod, container)
			}
			_, err = to.Write(answer)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkpoint returns the kubelet's answer.
func (c *Collector) checkpoint(ctx context.Context, target string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	seconds := strconv.Itoa(int(checkpointTimeout.Seconds()))
	answer, err := c.Client.CoreV1().RESTClient().Post().AbsPath(target).Param("timeout", seconds).DoRaw(ctx)
	if quoted := strings.Trim(strconv.Quote(string(answer)), `"`); err != nil && !strings.Contains(err.Error(), quoted) {
		return nil, fmt.Errorf("%w: %s", err, answer)
	}
	return answer, err
}
