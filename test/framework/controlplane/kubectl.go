package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Apply applies objects in order, with kubectl apply --server-side and strict validation.
func (c *ControlPlane) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	var input bytes.Buffer
	for _, object := range objects {
		if err := json.NewEncoder(&input).Encode(object); err != nil {
			return err
		}
	}
	cmd := c.KubectlCommand(ctx, "apply", "--server-side", "--validate=strict", "--filename=-")
	cmd.Stdin = &input
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// KubectlCommand returns a kubectl command of the cluster's administrator.
func (c *ControlPlane) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.Kubectl(), append([]string{"--kubeconfig=" + c.kubeconfig}, args...)...)
}
