package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"isolate.example.io/certs"
	"isolate.example.io/test/installation"
	"isolate.example.io/test/stream"
)

const (
	// writers keep more connections busy than an API server keeps idle ones, so
	// that there are always handshakes.
	writers = 32

	// admissions are at least so many for each rotation.
	admissions = 2000
)

func (c *cluster) until(what string, condition func() bool) {
	c.Helper()
	err := wait.PollUntilContextTimeout(c.Context(), interval, patience, true, func(context.Context) (bool, error) { return condition(), nil })
	require.NoError(c, err, what)
}

// stream has many writers ask for one admission after the other.
func (c *cluster) stream() *stream.Stream {
	c.Helper()
	config := c.Config()
	config.WarningHandler = rest.NoWarnings{}
	s, err := stream.Start(c.Context(), config, metav1.NamespaceDefault, writers)
	require.NoError(c, err)
	c.sent(s, 0)
	return s
}

// sent waits until there were so many admissions since.
func (c *cluster) sent(s *stream.Stream, since int64) {
	c.Helper()
	c.until("the stream flows", func() bool { return s.Sent() >= since+admissions || s.Lost() > 0 })
}

func (c *cluster) secret(name string) *corev1.Secret {
	secret, err := c.admin.CoreV1().Secrets(installation.Namespace).Get(c.Context(), name, metav1.GetOptions{})
	if err != nil {
		return &corev1.Secret{}
	}
	return secret
}

func (c *cluster) deleteSecret(name string) {
	c.Helper()
	require.NoError(c, c.admin.CoreV1().Secrets(installation.Namespace).Delete(c.Context(), name, metav1.DeleteOptions{}))
}

func (c *cluster) bundle() []byte {
	configuration, err := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(c.Context(), certs.Configuration, metav1.GetOptions{})
	if err != nil || len(configuration.Webhooks) == 0 {
		return nil
	}
	return configuration.Webhooks[0].ClientConfig.CABundle
}

func (c *cluster) setBundle(bundle []byte) {
	c.Helper()
	configurations := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations()
	configuration, err := configurations.Get(c.Context(), certs.Configuration, metav1.GetOptions{})
	require.NoError(c, err)
	configuration.Webhooks[0].ClientConfig.CABundle = bundle
	_, err = configurations.Update(c.Context(), configuration, metav1.UpdateOptions{})
	require.NoError(c, err)
}

// signedBy is whether the first certificate in a file was signed by one in the other.
func signedBy(file, authorities []byte) bool {
	roots := x509.NewCertPool()
	block, _ := pem.Decode(file)
	if block == nil || !roots.AppendCertsFromPEM(authorities) {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots})
	return err == nil
}

func otherCA(t require.TestingT) []byte {
	ca, err := certs.NewCA(time.Now(), time.Hour)
	require.NoError(t, err)
	return ca.CertPEM
}
