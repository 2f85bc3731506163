package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/wait"
	testclock "k8s.io/utils/clock/testing"
)

// pair is a self-signed certificate and its key.
type pair struct {
	cert    *x509.Certificate
	certPEM []byte
	keyPEM  []byte
}

func issued(t *testing.T) *pair {
	t.Helper()
	return issuedAt(t, time.Now())
}

func issuedAt(t *testing.T, at time.Time) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(at.UnixNano()), NotBefore: at.Add(-time.Minute), NotAfter: at.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &pair{
		cert:    cert,
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

func write(t *testing.T, dir string, cert, key []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, KeyFile), key, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, CertFile), cert, 0o600))
}

// following returns a started source, and a function that waits while the clock advances.
func following(t *testing.T, dir string) (*FileSource, func(want func() bool)) {
	t.Helper()
	return followingBy(t, dir, testclock.NewFakeClock(time.Now()))
}

func followingBy(t *testing.T, dir string, clock *testclock.FakeClock) (*FileSource, func(want func() bool)) {
	t.Helper()
	source := NewFileSource(dir, clock)
	require.Error(t, source.Ready(nil))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return source, func(want func() bool) {
		t.Helper()
		require.NoError(t, wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			clock.Step(readInterval)
			return want(), nil
		}))
	}
}

func (s *FileSource) serves(leaf *pair) bool {
	current, err := s.GetCertificate(nil)
	return err == nil && current.Leaf.Equal(leaf.cert)
}

func TestTheSourceFollowsItsDirectory(t *testing.T) {
	dir := t.TempDir()
	source, until := following(t, dir)
	until(func() bool { return source.Ready(nil).Error() != errNotRead.Error() })
	require.ErrorContains(t, source.Ready(nil), "reading the serving certificate: open ")

	first, second := issued(t), issued(t)
	write(t, dir, first.certPEM, first.keyPEM)
	until(func() bool { return source.serves(first) })
	require.NoError(t, source.Ready(nil))
	write(t, dir, second.certPEM, second.keyPEM)
	until(func() bool { return source.serves(second) })
}

func TestTheLastGoodCertificateStaysInUse(t *testing.T) {
	first, second := issued(t), issued(t)
	for name, damage := range map[string]func(dir string){
		"the key of another certificate": func(dir string) { write(t, dir, first.certPEM, second.keyPEM) },
		"no certificate":                 func(dir string) { write(t, dir, []byte("none"), first.keyPEM) },
		"the files are removed":          func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, CertFile))) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source, until := following(t, dir)
			write(t, dir, first.certPEM, first.keyPEM)
			until(func() bool { return source.serves(first) })
			damage(dir)
			until(func() bool { return source.err.Load() != nil })
			require.True(t, source.serves(first))
			require.NoError(t, source.Ready(nil))
			write(t, dir, second.certPEM, second.keyPEM)
			until(func() bool { return source.serves(second) })
		})
	}
}

func TestACertificateOutsideItsValidityIsServedAndReported(t *testing.T) {
	for name, off := range map[string]time.Duration{"a clock that is a day ahead": 24 * time.Hour, "a clock that is a day behind": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			clock := testclock.NewFakeClock(time.Now().Add(off))
			source, until := followingBy(t, dir, clock)
			registry := prometheus.NewRegistry()
			require.NoError(t, source.RegisterMetrics(registry))
			outside := func(value int) func() bool {
				return func() bool {
					return testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf("# HELP isolate_serving_certificate_outside_validity "+
						"1 if the certificate that this replica serves with is not valid by its machine's clock.\n"+
						"# TYPE isolate_serving_certificate_outside_validity gauge\nisolate_serving_certificate_outside_validity %d\n", value)),
						"isolate_serving_certificate_outside_validity") == nil
				}
			}
			leaf := issued(t)
			write(t, dir, leaf.certPEM, leaf.keyPEM)
			until(outside(1))
			require.True(t, source.serves(leaf))
			require.NoError(t, source.Ready(nil))
			leaf = issuedAt(t, clock.Now())
			write(t, dir, leaf.certPEM, leaf.keyPEM)
			until(outside(0))
		})
	}
}

func TestLogMessages(t *testing.T) {
	for got, want := range map[string]string{
		logLoaded:  "Loaded a new serving certificate",
		logKeeping: "Keeping the previously loaded certificate, if any",
		logOutside: "The serving certificate is not valid by this machine's clock, so API servers may reject it; " +
			"check time synchronization and the certificate's issuer",
		logInside:          "The serving certificate is valid by this machine's clock again",
		errNotRead.Error(): "serving certificate not read yet",
	} {
		require.Equal(t, want, got)
	}
}
