package collector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubectl/pkg/cmd/exec"
	"k8s.io/kubectl/pkg/scheme"
)

// maxStderr is how many bytes of a command's standard error are kept.
const maxStderr = 64 << 10

// exec runs the command of the options and adds its output.
func (c *Collector) exec(ctx context.Context, pod *corev1.Pod, options Options) error {
	if options.Exec == "" {
		return nil
	}
	return c.run(ctx, pod, options.Exec, fmt.Sprintf("exec/%s.out", options.Exec), options.Command)
}

// copy adds a path of a container as a tar file, which tar in the container makes.
func (c *Collector) copy(ctx context.Context, pod *corev1.Pod, from Copy) error {
	name := fmt.Sprintf("copy/%s%s.tar", from.Container, strings.TrimSuffix("/"+strings.TrimPrefix(from.Path, "/"), "/"))
	return c.run(ctx, pod, from.Container, name, []string{"tar", "-cf", "-", "--", from.Path})
}

// run streams a command's standard output into a file, and adds its standard error as
// another file.
func (c *Collector) run(ctx context.Context, pod *corev1.Pod, container, name string, command []string) error {
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	source := fmt.Sprintf("exec in container %s: %s", container, strings.Join(command, " "))
	stderr := &head{}
	err := c.add(name, source, func(to io.Writer) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		out := &stopping{Writer: to, stop: cancel}
		return (&exec.DefaultRemoteExecutor{}).ExecuteWithContext(ctx, request.URL(), c.Config, nil, out, stderr, false, nil)
	})
	if err != nil || stderr.Len() == 0 {
		return err
	}
	return c.add(name+".stderr", source, func(to io.Writer) error {
		_, err := stderr.WriteTo(to)
		return err
	})
}

// stopping stops the command once its output is cut.
type stopping struct {
	io.Writer
	stop func()
}

func (s *stopping) Write(data []byte) (int, error) {
	n, err := s.Writer.Write(data)
	if err != nil {
		s.stop()
	}
	return n, err
}

// head keeps the beginning of what is written. It discards the rest without an error, so
// that the command continues.
type head struct{ bytes.Buffer }

func (h *head) Write(data []byte) (int, error) {
	h.Buffer.Write(data[:min(len(data), max(maxStderr-h.Len(), 0))])
	return len(data), nil
}
