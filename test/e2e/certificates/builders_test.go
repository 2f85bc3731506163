package certificates

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"isolate.example.io/certs"
	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/load"
	"isolate.example.io/test/framework/waiting"
)

const (
	// webhookName is the host name that the API server connects to.
	webhookName = "isolate-webhook.isolate-system.svc"

	// writers is more than the API server's idle connections, so that there are always
	// new handshakes.
	writers = 32

	// admissions is the minimum per rotation.
	admissions = 2000
)

func (c *cluster) until(what string, condition func() bool) {
	c.Helper()
	waiting.Until(c, condition, "%s", what)
}

// stream starts concurrent writers and waits until they have sent enough admissions.
func (c *cluster) stream() *load.Stream {
	c.Helper()
	config := c.Config()
	config.WarningHandler = rest.NoWarnings{}
	s, err := load.Start(c.Context(), config, metav1.NamespaceDefault, writers)
	require.NoError(c, err)
	c.sent(s, 0)
	return s
}

// sent waits until the stream has sent enough admissions since the count was since.
func (c *cluster) sent(s *load.Stream, since int64) {
	c.Helper()
	c.until("the stream has sent enough admissions", func() bool { return s.Sent() >= since+admissions || s.Lost() > 0 })
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

// store overwrites these files in a Secret.
func (c *cluster) store(name string, files map[string][]byte) {
	c.Helper()
	patch, err := json.Marshal(map[string]any{"data": files})
	require.NoError(c, err)
	_, err = c.admin.CoreV1().Secrets(installation.Namespace).Patch(c.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(c, err)
}

// storedCA returns the stored CA.
func (c *cluster) storedCA() *authority.Pair {
	c.Helper()
	files := c.secret(authority.CASecret).Data
	pair, err := tls.X509KeyPair(files[certs.CertFile], files[certs.KeyFile])
	require.NoError(c, err)
	key, ok := pair.PrivateKey.(crypto.Signer)
	require.True(c, ok)
	return &authority.Pair{Cert: pair.Leaf, Key: key, CertPEM: files[certs.CertFile], KeyPEM: files[certs.KeyFile]}
}

// storeLeaf stores a serving certificate signed by the CA.
func (c *cluster) storeLeaf(ca *authority.Pair, at time.Time, name string) {
	c.Helper()
	leaf, err := ca.Issue(at, []string{name}, nil, time.Hour)
	require.NoError(c, err)
	c.store(authority.ServingSecret, files(leaf, ca))
}

func files(pair, ca *authority.Pair) map[string][]byte {
	return map[string][]byte{certs.CertFile: pair.CertPEM, certs.KeyFile: pair.KeyPEM, certs.CAFile: ca.CertPEM}
}

func (c *cluster) bundle() []byte {
	configuration, err := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(c.Context(), authority.Configuration, metav1.GetOptions{})
	if err != nil || len(configuration.Webhooks) == 0 {
		return nil
	}
	return configuration.Webhooks[0].ClientConfig.CABundle
}

func (c *cluster) setBundle(bundle []byte) {
	c.Helper()
	configurations := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations()
	require.NoError(c, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		configuration, err := configurations.Get(c.Context(), authority.Configuration, metav1.GetOptions{})
		if err != nil {
			return err
		}
		configuration.Webhooks[0].ClientConfig.CABundle = bundle
		_, err = configurations.Update(c.Context(), configuration, metav1.UpdateOptions{})
		return err
	}))
}

// notAfter returns when the certificate in a Secret expires.
func (c *cluster) notAfter(secret string) time.Time {
	block, _ := pem.Decode(c.secret(secret).Data[certs.CertFile])
	if block == nil {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}

// fits reports whether the files have a certificate and its key.
func fits(files map[string][]byte) bool {
	_, err := tls.X509KeyPair(files[certs.CertFile], files[certs.KeyFile])
	return err == nil
}

// signedBy reports whether a CA in bundle signed the first certificate in file.
func signedBy(file, bundle []byte) bool {
	roots := x509.NewCertPool()
	block, _ := pem.Decode(file)
	if block == nil || !roots.AppendCertsFromPEM(bundle) {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: webhookName})
	return err == nil
}

func newCA(t require.TestingT, at time.Time) *authority.Pair {
	ca, err := authority.NewCA(at, time.Hour)
	require.NoError(t, err)
	return ca
}
