package certificates

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// The test switches from isolate's own CA to cert-manager and back, with the exact
// commands of docs/install.md.
func TestSwitchingAuthorityLosesNoAdmission(t *testing.T) {
	c := newCluster(t)
	c.startCertManager()
	i := c.install("overlays/default", "--propagation-delay="+propagation)
	c.waitRotated(nil)
	s := c.stream()
	selfSigned := true
	for _, direction := range []struct {
		to   string
		over func()
	}{
		{"To switch to cert-manager:", func() { c.keptByCertManager(i) }},
		{"To switch back:", func() { c.keptByIsolate(i) }},
	} {
		since := s.Sent()
		for _, command := range c.documented(direction.to) {
			c.shell(command)
			selfSigned = c.rollOut(i, selfSigned)
		}
		direction.over()
		c.sent(s, since)
		t.Logf("%s %d admissions, %d lost", direction.to, s.Sent()-since, s.Lost())
	}
	report := s.Stop()
	t.Log(report)
	require.Zero(t, report.Lost)
}

// documented returns the commands in the page's first block after a line with this
// suffix.
func (c *cluster) documented(line string) []string {
	c.Helper()
	root, err := controlplane.Root()
	require.NoError(c, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	require.NoError(c, err)
	_, after, found := strings.Cut(string(text), line+"\n\n")
	require.True(c, found, "the page has no block after %q", line)
	var commands []string
	for line := range strings.Lines(after) {
		command, indented := strings.CutPrefix(line, "    ")
		if !indented {
			break
		}
		commands = append(commands, strings.TrimSpace(command))
	}
	require.NotEmpty(c, commands)
	return commands
}

// rollOut does what the Deployment controller and the kubelet do when the sweeper's
// flags have changed, and reports whether the sweeper now issues the certificates.
func (c *cluster) rollOut(i *installation.Installation, before bool) bool {
	c.Helper()
	deployment, err := c.admin.AppsV1().Deployments(installation.Namespace).Get(c.Context(), "isolate-sweeper", metav1.GetOptions{})
	require.NoError(c, err)
	selfSigned := slices.Contains(deployment.Spec.Template.Spec.Containers[0].Args, "--self-signed")
	if selfSigned == before {
		return selfSigned
	}
	old := running(i, "sweeper")
	_, err = i.StartSweeper(c.Context(), "--self-signed="+strconv.FormatBool(selfSigned))
	require.NoError(c, err)
	for _, sweeper := range old {
		sweeper.Stop()
	}
	return selfSigned
}

func (c *cluster) keptByCertManager(i *installation.Installation) {
	c.Helper()
	c.until("cert-manager's certificate is served", func() bool {
		served := c.secret(authority.ServingSecret).Data[corev1.TLSCertKey]
		return signedBy(served, c.secret(certManagerCA).Data[corev1.TLSCertKey]) && c.allServe(i, served)
	})
	require.Empty(c, c.secret(authority.CASecret).Name, "isolate's CA is deleted")
}

func (c *cluster) keptByIsolate(i *installation.Installation) {
	c.Helper()
	c.healed(i)
	require.Empty(c, c.secret(certManagerCA).Name, "cert-manager's CA is deleted")
}
