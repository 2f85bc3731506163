package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALeafIsTrustedOnlyByItsCAAndForItsNames(t *testing.T) {
	ca, err := NewCA(time.Now(), time.Hour)
	require.NoError(t, err)
	leaf, err := ca.Issue(time.Now(), []string{"webhook.ns.svc"}, []string{"127.0.0.1"}, time.Minute)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.CertPEM))
	for _, name := range []string{"webhook.ns.svc", "127.0.0.1"} {
		_, err = leaf.Cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		require.NoError(t, err)
	}
	_, err = leaf.Cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other.ns.svc"})
	require.Error(t, err)
	_, err = leaf.Cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: time.Now().Add(2 * time.Minute)})
	require.Error(t, err)
	key, ok := leaf.Cert.PublicKey.(*ecdsa.PublicKey)
	require.True(t, ok)
	require.Equal(t, elliptic.P256(), key.Curve)
	require.False(t, leaf.Cert.IsCA)
}
