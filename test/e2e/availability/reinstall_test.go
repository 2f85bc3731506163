package availability

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// The test runs the exact commands of docs/install.md. The programs keep running during
// the removal, as they may on a cluster, where they could recreate something.
func TestRemoveAndReinstall(t *testing.T) {
	c := start(t, controlplane.Options{})
	apply, remove := c.documented()
	c.kubectl("create", "namespace", "shop")
	before := c.clusterWide()
	c.says(apply)
	c.install(installation.Options{Applied: true})
	c.kubectl("create", "deployment", "web", "--namespace=shop", "--image=web:1", "--replicas=4")
	pods := c.running("shop", "app=web", 4)
	overdue, held, later, released := pods[0], pods[1], pods[2], pods[3]
	c.quarantine(overdue, quarantine.TTLKey+"=1s", quarantine.HoldKey+"=true")
	c.quarantine(held, quarantine.TTLKey+"=1s", quarantine.HoldKey+"=true")
	c.quarantine(later)
	c.quarantine(released)

	c.says(remove)
	c.isolate.Stop()
	c.until(func() bool { return slices.Equal(before, c.clusterWide()) }, "nothing is left of isolate")
	for _, pod := range c.running("shop", quarantine.QuarantinedLabel, 4) {
		require.True(t, slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p.UID == pod.UID }))
		c.kubectl("label", "pod", "--namespace=shop", pod.Name, "looked-at=yes")
	}
	c.kubectl("annotate", "pod", "--namespace=shop", overdue.Name, quarantine.HoldKey+"-")
	end := time.Now().Add(20 * time.Second).UTC().Format(time.RFC3339) // Otherwise the removal would take until the pod expires.
	c.kubectl("annotate", "pod", "--namespace=shop", "--overwrite", later.Name, quarantine.ExpiresAtKey+"="+end)
	c.kubectl("scale", "deployment", "web", "--namespace=shop", "--replicas=5")
	c.running("shop", "app=web", 5)

	clientSide := strings.Replace(apply, " --server-side", "", 1) // The page says that both work.
	c.says(clientSide)
	c.install(installation.Options{Applied: true})
	c.gone(overdue)
	c.gone(later)
	require.LessOrEqual(t, end, time.Now().UTC().Format(time.RFC3339))
	c.kubectl("annotate", "pod", "--namespace=shop", released.Name, quarantine.TriggerKey+"-")
	require.Equal(t, held.UID, c.running("shop", quarantine.QuarantinedLabel, 1)[0].UID)
	for _, upgrade := range []string{clientSide, apply + " --force-conflicts"} {
		c.says(upgrade)
		c.quarantine(c.running("shop", "app=web", 5)[0]) // This fails if the upgrade emptied the caBundle.
	}
}

// Removing isolate needs neither the webhook nor the sweeper.
func TestRemoveWithOwnPodsQuarantinedAndDown(t *testing.T) {
	c := start(t, controlplane.Options{})
	apply, remove := c.documented()
	before := c.clusterWide()
	c.says(apply)
	c.install(installation.Options{Applied: true})
	for _, name := range []string{"webhook", "sweeper"} {
		c.quarantine(c.running(installation.Namespace, component(name), replicas)[0], quarantine.HoldKey+"=true")
	}
	c.isolate.Stop()
	c.says(remove)
	c.until(func() bool { return slices.Equal(before, c.clusterWide()) }, "nothing is left of isolate")
	c.says(apply)
	c.install(installation.Options{Applied: true})
	c.quarantine(c.running(installation.Namespace, component("webhook"), replicas)[0])
}

// documented returns the first commands that install and remove isolate.
func (c *cluster) documented() (apply, remove string) {
	c.Helper()
	data, err := os.ReadFile(filepath.Join(c.root(), "docs", "install.md"))
	require.NoError(c, err)
	for line := range strings.Lines(string(data)) {
		command, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "    kubectl ")
		switch {
		case ok && apply == "" && strings.HasPrefix(command, "apply ") && strings.HasSuffix(command, " manifests/overlays/default"):
			apply = command
		case ok && remove == "" && strings.HasPrefix(command, "delete ") && strings.HasSuffix(command, " manifests/overlays/default"):
			remove = command
		}
	}
	require.NotEmpty(c, apply)
	require.NotEmpty(c, remove)
	return apply, remove
}

// says runs a kubectl command of the page in the repository's root.
func (c *cluster) says(command string) {
	c.Helper()
	cmd := c.KubectlCommand(c.Context(), strings.Fields(command)...)
	cmd.Dir = c.root()
	out, err := cmd.CombinedOutput()
	require.NoError(c, err, "kubectl %s: %s", command, out)
}

func (c *cluster) root() string {
	c.Helper()
	root, err := controlplane.Root()
	require.NoError(c, err)
	return root
}

// clusterWide returns the names of all cluster-scoped objects, namespaces included.
func (c *cluster) clusterWide() []string {
	c.Helper()
	kinds := strings.Fields(c.kubectl("api-resources", "--namespaced=false", "--verbs=list", "--output=name"))
	names := strings.Fields(c.kubectl("get", strings.Join(kinds, ","), "--output=name"))
	slices.Sort(names)
	return names
}

// gone waits until a pod is deleted.
func (c *cluster) gone(pod *corev1.Pod) {
	c.Helper()
	c.until(func() bool {
		_, err := c.admin.CoreV1().Pods(pod.Namespace).Get(c.Context(), pod.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, "pod %s is gone", pod.Name)
}
