package certificates

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/certs/authority"
)

// rotateServing makes the sweeper issue a new serving certificate and waits until all
// replicas serve with it.
func (c *cluster) rotateServing() {
	c.Helper()
	old := c.secret(authority.ServingSecret).Data[corev1.TLSCertKey]
	c.deleteSecret(authority.ServingSecret)
	c.until("a new certificate is stored", func() bool {
		now := c.secret(authority.ServingSecret).Data[corev1.TLSCertKey]
		return len(now) > 0 && !bytes.Equal(now, old)
	})
}

// rotateCA makes the sweeper create a new CA and waits until only that one is trusted.
func (c *cluster) rotateCA() {
	c.Helper()
	old := c.secret(authority.CASecret).Data[corev1.TLSCertKey]
	c.deleteSecret(authority.CASecret)
	c.waitRotated(old)
}

// waitRotated waits until there is a new CA, only that one is trusted, and it has signed
// the serving certificate.
func (c *cluster) waitRotated(old []byte) {
	c.Helper()
	c.until("the rotation is complete", func() bool {
		ca, serving := c.secret(authority.CASecret).Data, c.secret(authority.ServingSecret).Data
		now := ca[corev1.TLSCertKey]
		return len(now) > 0 && !bytes.Equal(now, old) && bytes.Equal(c.bundle(), now) && fits(ca) && fits(serving) &&
			signedBy(serving[corev1.TLSCertKey], now)
	})
}

func TestRotationLosesNoAdmission(t *testing.T) {
	c := sharedCluster(t)
	c.install("overlays/default", "--propagation-delay="+propagation)
	for _, kind := range []struct {
		name   string
		rotate func()
		times  int
	}{
		{"serving certificate", c.rotateServing, *servingRotations},
		{"CA", c.rotateCA, *caRotations},
	} {
		s := c.stream()
		for range kind.times {
			since := s.Sent()
			kind.rotate()
			c.sent(s, since)
		}
		report := s.Stop()
		t.Logf("%d rotations of the %s: %s", kind.times, kind.name, report)
		require.Zero(t, report.Lost, kind.name)
	}
}

// A rotation that simply replaces the CA bundle loses admissions. This proves that
// the stream notices.
func TestReplacingTheBundleLosesAdmissions(t *testing.T) {
	c := sharedCluster(t)
	i := c.install("overlays/default", "--propagation-delay="+propagation)
	for _, sweeper := range running(i, "sweeper") {
		sweeper.Kill()
	}
	s := c.stream()
	c.setBundle(newCA(t, time.Now()).CertPEM)
	c.until("an admission is lost", func() bool { return s.Lost() > 0 })
	report := s.Stop()
	t.Logf("after replacing the bundle: %s", report)
	require.Positive(t, report.Lost)
}
