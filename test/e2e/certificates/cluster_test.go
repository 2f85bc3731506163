package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/certs/authority"
	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/kubectl"
)

func (c *cluster) kubectl(args ...string) {
	c.Helper()
	kubectl.Run(c, c.ControlPlane, args...)
}

// shell runs a command line in the repository's root.
func (c *cluster) shell(line string) {
	c.Helper()
	out, err := kubectl.Shell(c.Context(), c.ControlPlane, line).CombinedOutput()
	c.Logf("$ %s\n%s", line, out)
	require.NoError(c, err)
}

// running returns the replicas of a program that have not exited.
func running(i *installation.Installation, name string) []*installation.Program {
	return slices.DeleteFunc(i.Programs(), func(p *installation.Program) bool { return p.Name != name || !p.Running() })
}

// leader returns the sweeper that manages the certificates.
func (c *cluster) leader(i *installation.Installation) *installation.Program {
	c.Helper()
	var leader *installation.Program
	c.until("a sweeper leads", func() bool {
		for _, sweeper := range running(i, "sweeper") {
			if _, ok := c.metric(sweeper, `isolate_certificate_not_after_timestamp_seconds{certificate="ca"}`); ok {
				leader = sweeper
			}
		}
		return leader != nil
	})
	return leader
}

// metric returns the value of a series; ok is false if the program has none.
func (c *cluster) metric(p *installation.Program, series string) (value float64, ok bool) {
	return p.Metric(c.Context(), series)
}

// logged counts how often a program has logged a text.
func (c *cluster) logged(p *installation.Program, text string) int {
	c.Helper()
	data, err := os.ReadFile(p.Log)
	require.NoError(c, err)
	return bytes.Count(data, []byte(text))
}

// reported reports whether an event about a Secret contains a text.
func (c *cluster) reported(secret, text string) bool {
	c.Helper()
	list, err := c.admin.EventsV1().Events(installation.Namespace).List(c.Context(), metav1.ListOptions{})
	require.NoError(c, err)
	return slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool {
		return e.Regarding.Kind == "Secret" && e.Regarding.Name == secret && strings.Contains(e.Note, text)
	})
}

// allServe reports whether each webhook replica serves with the first certificate in
// a file and the webhook configuration's CA bundle trusts it.
func (c *cluster) allServe(i *installation.Installation, file []byte) bool {
	roots := x509.NewCertPool()
	block, _ := pem.Decode(file)
	if block == nil || !roots.AppendCertsFromPEM(c.bundle()) {
		return false
	}
	for _, program := range running(i, "webhook") {
		connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(program.Port)),
			&tls.Config{RootCAs: roots, ServerName: webhookName})
		if err != nil {
			return false
		}
		served := connection.ConnectionState().PeerCertificates[0].Raw
		if connection.Close() != nil || !bytes.Equal(served, block.Bytes) {
			return false
		}
	}
	return true
}

// healed waits until exactly one CA is trusted, all replicas serve with a certificate
// that it signed, and a pod can be quarantined.
func (c *cluster) healed(i *installation.Installation) {
	c.Helper()
	c.waitRotated(nil)
	c.until("all replicas serve with the stored certificate", func() bool {
		return c.allServe(i, c.secret(authority.ServingSecret).Data[corev1.TLSCertKey])
	})
	pod := c.pod()
	c.until("a pod can be quarantined", func() bool { return c.quarantine(pod, metav1.DryRunAll) == nil })
}

func (c *cluster) pod() *corev1.Pod {
	c.Helper()
	pod, err := c.admin.CoreV1().Pods(metav1.NamespaceDefault).Create(c.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	return pod
}

// quarantine quarantines a pod, optionally as a dry run.
func (c *cluster) quarantine(pod *corev1.Pod, dryRun ...string) error {
	c.Helper()
	written, err := c.admin.CoreV1().Pods(pod.Namespace).Patch(c.Context(), pod.Name, types.MergePatchType,
		[]byte(`{"metadata": {"annotations": {"`+quarantine.TriggerKey+`": "true"}}}`), metav1.PatchOptions{DryRun: dryRun})
	if err == nil {
		require.Equal(c, quarantine.QuarantinedValue, written.Labels[quarantine.QuarantinedLabel])
	}
	return err
}

// quarantined creates a pod and quarantines it.
func (c *cluster) quarantined() {
	c.Helper()
	require.NoError(c, c.quarantine(c.pod()))
}
