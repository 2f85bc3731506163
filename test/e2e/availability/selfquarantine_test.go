package availability

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/waiting"
)

// replicas is the number of replicas of each of isolate's Deployments.
const replicas = 2

// component returns a selector for the pods of one of isolate's Deployments. The
// webhook's quarantined pods have the component "quarantined-webhook".
func component(name string) string { return "app.kubernetes.io/component=" + name }

// The controller budget protects isolate from a detector that quarantines all its
// pods. The namespace's quota has room for that many, plus a rollout.
func TestOwnPodsCanBeQuarantined(t *testing.T) {
	c := start(t, controlplane.Options{})
	c.install(installation.Options{})
	budget := quarantine.DefaultConfig().ControllerBudget
	for _, name := range []string{"sweeper", "webhook"} {
		for _, pod := range c.running(installation.Namespace, component(name), replicas) {
			c.quarantine(pod) // One at a time: for a moment there may be no replica.
		}
		for range budget - replicas {
			c.quarantine(c.running(installation.Namespace, component(name), replicas)[0])
		}
		c.running(installation.Namespace, component("quarantined-"+name), budget)
		running := c.running(installation.Namespace, component(name), replicas)
		screen, err := c.tryKubectl("annotate", "pod", "--namespace="+installation.Namespace, running[0].Name, quarantine.TriggerKey+"=true")
		require.Error(t, err)
		require.Contains(t, screen, "pods of Deployment/isolate-"+name+" are already quarantined")

		c.kubectl("rollout", "restart", "--namespace="+installation.Namespace, "deployment/isolate-"+name)
		c.rolledOut(installation.Namespace, "isolate-"+name)
		c.quarantine(c.running(installation.Namespace, component(name), replicas)[0], quarantine.TTLKey+"=1s", quarantine.ForceKey+"=true")
		c.running(installation.Namespace, component("quarantined-"+name), budget) // The last one is deleted.
	}
	c.serving(c.running(installation.Namespace, component("webhook"), replicas))
}

// A webhook outage stops quarantines and nothing else: isolate itself and system pods
// can be created, rolled out and deleted, whatever annotations they carry.
func TestWebhookOutageDoesNotBlockRecovery(t *testing.T) {
	c := start(t, controlplane.Options{})
	c.install(installation.Options{})
	c.kubectl("create", "deployment", "dns", "--namespace=kube-system", "--image=dns:1", "--replicas=2")
	c.quarantine(c.running("kube-system", "app=dns", 2)[0])
	c.running("kube-system", "app=dns", 2)
	for _, pod := range c.running(installation.Namespace, component("webhook"), replicas) {
		c.quarantine(pod)
	}
	for _, program := range c.isolate.Programs() {
		if program.Name == "webhook" {
			program.Kill()
		}
	}

	for namespace, selector := range map[string]string{"kube-system": "app=dns", installation.Namespace: component("webhook")} {
		for _, pod := range c.running(namespace, selector, 2) {
			screen, err := c.tryKubectl("annotate", "pod", "--namespace="+namespace, pod.Name, quarantine.TriggerKey+"=true")
			require.Error(t, err)
			require.Contains(t, screen, `failed calling webhook "pods.isolate.example.io"`)
		}
		c.kubectl("delete", "pods", "--all", "--namespace="+namespace)
		c.running(namespace, selector, 2)
	}
	c.carryEveryRequest("kube-system", "dns")
	for _, name := range []string{"webhook", "sweeper"} {
		c.carryEveryRequest(installation.Namespace, "isolate-"+name)
	}
	carrying := c.running(installation.Namespace, component("webhook"), replicas)
	c.serving(carrying)

	_, err := c.isolate.StartWebhook(t.Context())
	require.NoError(t, err)
	for _, pod := range carrying { // Annotations that a pod was created with have no effect.
		c.kubectl("annotate", "pod", "--namespace="+pod.Namespace, pod.Name, "other=x")
		require.NotContains(t, c.kubectl("get", "pod", "--namespace="+pod.Namespace, pod.Name, "--output=yaml"), quarantine.QuarantinedLabel)
	}
	c.kubectl("rollout", "restart", "--namespace="+installation.Namespace, "deployment/isolate-webhook")
	c.rolledOut(installation.Namespace, "isolate-webhook")
	for _, pod := range c.running(installation.Namespace, component("webhook"), replicas) {
		require.NotContains(t, pod.Annotations, quarantine.TriggerKey)
	}
	c.quarantine(c.running(installation.Namespace, component("webhook"), replicas)[0])
}

// carryEveryRequest adds every request annotation to a Deployment's template and
// waits until all its pods are replaced.
func (c *cluster) carryEveryRequest(namespace, deployment string) {
	c.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{
			quarantine.TriggerKey: "true", quarantine.TTLKey: "1h", quarantine.ExtendKey: "1h",
			quarantine.HoldKey: "true", quarantine.ForceKey: "true", quarantine.ReasonKey: "odd",
		},
	}}}})
	require.NoError(c, err)
	c.kubectl("patch", "deployment", "--namespace="+namespace, deployment, "--patch="+string(patch))
	c.rolledOut(namespace, deployment)
}

// rolledOut waits until a Deployment's latest revision is rolled out.
func (c *cluster) rolledOut(namespace, deployment string) {
	c.Helper()
	c.kubectl("rollout", "status", "--timeout="+waiting.Patience.String(), "--namespace="+namespace, "deployment/"+deployment)
}

// serving waits until the webhook's Service has exactly these pods.
func (c *cluster) serving(pods []*corev1.Pod) {
	c.Helper()
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	slices.Sort(names)
	c.until(func() bool {
		list, err := c.admin.DiscoveryV1().EndpointSlices(installation.Namespace).List(c.Context(),
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=isolate-webhook"})
		require.NoError(c, err)
		var ready []string
		for _, slice := range list.Items {
			for _, endpoint := range slice.Endpoints {
				if *endpoint.Conditions.Ready {
					ready = append(ready, endpoint.TargetRef.Name)
				}
			}
		}
		slices.Sort(ready)
		return slices.Equal(ready, names)
	}, "the webhook's Service has %v", names)
}
