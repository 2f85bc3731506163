package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/framework/load"
)

const (
	overlay = "manifests/overlays/default"

	// lastApplied are the fields that a client-side apply leaves behind.
	lastApplied = `{"f:metadata":{"f:annotations":{"f:kubectl.kubernetes.io/last-applied-configuration":{}}}}`
)

// The commands of docs/install.md, word for word, with isolate installed by kubectl in either
// way. Afterwards each tool owns what it applied, and the other owns nothing.
func TestSwitchFromKustomizeToHelmAndBack(t *testing.T) {
	for name, apply := range map[string][]string{"client side": {"apply"}, "server side": {"apply", "--server-side"}} {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			c.kubectl(append(apply, "-k", filepath.Join(root, overlay))...)
			c.run()
			c.kubectl("create", "deployment", "web", "--image=web:1")
			pod := c.quarantined()
			stream, err := load.Start(t.Context(), c.Config(), metav1.NamespaceDefault, 2)
			require.NoError(t, err)

			for _, command := range documented(t, "### From kustomize to Helm") {
				c.shell(command)
				c.answers(stream)
			}
			c.ownedBy("helm")
			requireTested(c, true)
			c.shell("helm upgrade --install isolate charts/isolate --namespace isolate-system --set commonLabels.team=sre")
			c.shell("helm upgrade --install isolate charts/isolate --namespace isolate-system")

			for _, command := range documented(t, "### From Helm to kustomize") {
				c.shell(command)
				c.answers(stream)
			}
			c.ownedBy("kubectl")
			c.shell("kubectl diff --server-side -k " + overlay)
			require.Empty(t, strings.TrimSpace(c.helm("list", "--short")))

			left, err := c.admin.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, pod.UID, left.UID)
			report := stream.Stop()
			t.Log(report)
			require.Equal(t, report.Undecided, report.Lost, report)
		})
	}
}

// The other commands of the page that install and remove isolate with Helm.
func TestTheDocumentedHelmCommands(t *testing.T) {
	c := start(t)
	before := c.clusterWide()
	commands := documented(t, "## Helm")
	install, test, uninstall, deleteNamespace := commands[0], commands[1], commands[2], commands[3]
	require.Len(t, commands, 4)
	c.shell(install)
	c.run()
	require.Equal(t, "helm test isolate --namespace isolate-system", test)
	requireTested(c, true)
	c.shell(install)
	c.shell(uninstall)
	c.shell(deleteNamespace) // The programs still run, and could recreate something.
	c.isolate.Stop()
	c.until(func() bool { return slices.Equal(before, c.clusterWide()) }, "nothing is left of isolate")
}

// documented returns the commands below a heading of docs/install.md, up to the next one.
func documented(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n#")
	var commands []string
	for line := range strings.Lines(section) {
		if command, indented := strings.CutPrefix(line, "    "); indented {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	require.NotEmpty(t, commands)
	return commands
}

// shell runs a line in the repository's root, with the built kubectl and Helm.
func (c *cluster) shell(line string) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), "bash", "-euo", "pipefail", "-c", line)
	cmd.Dir = root
	cmd.Env = slices.Concat(helmCommand(c.Context()).Env, []string{
		"PATH=" + filepath.Dir(c.Kubectl()) + ":" + filepath.Dir(helmPath) + ":" + os.Getenv("PATH"), "KUBECONFIG=" + c.Kubeconfig(),
	})
	out, err := cmd.CombinedOutput()
	require.NoError(c, err, "%s\n%s", line, out)
}

// ownedBy requires that of kubectl and Helm only this one owns fields of isolate's objects.
func (c *cluster) ownedBy(owner string) {
	c.Helper()
	var list struct {
		Items []struct {
			Kind     string
			Metadata metav1.ObjectMeta
		}
	}
	out := c.kubectl("get", "--kustomize="+filepath.Join(root, overlay), "--show-managed-fields", "--output=json")
	require.NoError(c, json.Unmarshal([]byte(out), &list))
	require.NotEmpty(c, list.Items)
	for _, item := range list.Items {
		if item.Kind == "Namespace" {
			continue
		}
		var owners []string
		for _, entry := range item.Metadata.ManagedFields {
			if entry.Manager == "kubectl-last-applied" { // The annotation of a client-side apply, and nothing else.
				require.JSONEq(c, lastApplied, entry.FieldsV1.GetRawString())
				continue
			}
			if strings.HasPrefix(entry.Manager, "kubectl") || entry.Manager == "helm" {
				owners = append(owners, entry.Manager)
			}
		}
		// An object with nothing but a name, such as a ServiceAccount, has no owner for kubectl.
		require.Subset(c, []string{owner}, owners, "%s/%s", item.Kind, item.Metadata.Name)
		require.Equal(c, owner == "helm", item.Metadata.Labels["app.kubernetes.io/managed-by"] == "Helm", item.Metadata.Name)
	}
}
