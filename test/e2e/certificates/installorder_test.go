package certificates

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"isolate.example.io/certs"
	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/manifests"
)

// The parts of a first install arrive in any order: kubectl applies many objects, and
// pods start when their images are pulled.
const (
	configuration = "the webhook configuration"
	sweeper       = "the sweeper"
	webhook       = "the webhook"
	leftover      = "a leftover Secret of another type"
)

func TestInstallOrderDoesNotMatter(t *testing.T) {
	all := sharedCluster(t)
	i := all.installWith(all.options([]string{quick}))
	applied := all.configuration()
	for _, order := range [][]string{
		{configuration, sweeper, webhook},
		{configuration, webhook, sweeper},
		{sweeper, configuration, webhook},
		{sweeper, webhook, configuration},
		{webhook, configuration, sweeper},
		{webhook, sweeper, configuration},
		{leftover, webhook, configuration, sweeper},
	} {
		t.Run(strings.Join(order, ", "), func(t *testing.T) {
			c := all.in(t)
			for _, program := range append(running(i, "sweeper"), running(i, "webhook")...) {
				program.Kill()
			}
			c.reset()
			started := make(chan error, 1)
			for _, what := range order {
				switch what {
				case configuration:
					require.NoError(c, c.Apply(c.Context(), applied))
				case sweeper:
					_, err := i.StartSweeper(c.Context())
					require.NoError(c, err)
					c.until("the sweeper has issued a certificate", func() bool { return fits(c.secret(authority.ServingSecret).Data) })
				case webhook: // Like a container, it waits for its Secret.
					go func() {
						_, err := i.StartWebhook(c.Context())
						started <- err
					}()
				case leftover:
					c.leaveOver()
				}
			}
			require.NoError(c, <-started)
			c.healed(i)
		})
	}
}

func (c *cluster) leaveOver() {
	c.Helper()
	_, err := c.admin.CoreV1().Secrets(installation.Namespace).Create(c.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: authority.ServingSecret},
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{certs.CertFile: []byte("x"), "password": []byte("x")},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
}

// configuration returns the webhook configuration as shipped.
func (c *cluster) configuration() *unstructured.Unstructured {
	c.Helper()
	root, err := controlplane.Root()
	require.NoError(c, err)
	objects, err := manifests.Build(c.Context(), c.Kubectl(), filepath.Join(root, "manifests"), "overlays/default")
	require.NoError(c, err)
	for _, object := range objects {
		if object.GetKind() == "MutatingWebhookConfiguration" {
			return object
		}
	}
	c.Fatal("no webhook configuration is shipped")
	return nil
}
