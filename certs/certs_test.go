package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
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

func issued(t *testing.T) *Pair {
	t.Helper()
	return issuedAt(t, time.Now())
}

func issuedAt(t *testing.T, at time.Time) *Pair {
	t.Helper()
	ca, err := NewCA(at, time.Hour)
	require.NoError(t, err)
	leaf, err := ca.Issue(at, []string{"isolate-webhook.isolate-system.svc"}, nil, time.Hour)
	require.NoError(t, err)
	return leaf
}

func write(t *testing.T, dir string, cert, key []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, KeyFile), key, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, CertFile), cert, 0o600))
}

func TestALeafIsTrustedByItsAuthorityForItsNamesAlone(t *testing.T) {
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

// following reads the files of a folder whenever the clock is stepped.
func following(t *testing.T, dir string) (*Files, func(want func() bool)) {
	t.Helper()
	return followingBy(t, dir, testclock.NewFakeClock(time.Now()))
}

func followingBy(t *testing.T, dir string, clock *testclock.FakeClock) (*Files, func(want func() bool)) {
	t.Helper()
	files := NewFiles(dir, clock)
	require.Error(t, files.Ready(nil))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- files.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return files, func(want func() bool) {
		t.Helper()
		require.NoError(t, wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			clock.Step(readInterval)
			return want(), nil
		}))
	}
}

func (f *Files) serves(leaf *Pair) bool {
	current, err := f.GetCertificate(nil)
	return err == nil && current.Leaf.Equal(leaf.Cert)
}

func TestFilesFollowsWhatTheFolderHolds(t *testing.T) {
	dir := t.TempDir()
	files, until := following(t, dir)
	until(func() bool { return files.Ready(nil).Error() != errNone.Error() })
	require.ErrorContains(t, files.Ready(nil), "reading the serving certificate: open ")

	first, second := issued(t), issued(t)
	write(t, dir, first.CertPEM, first.KeyPEM)
	until(func() bool { return files.serves(first) })
	require.NoError(t, files.Ready(nil))
	write(t, dir, second.CertPEM, second.KeyPEM)
	until(func() bool { return files.serves(second) })
}

func TestWhatCannotBeServedLeavesTheLastGoodOneInUse(t *testing.T) {
	first, second := issued(t), issued(t)
	for name, damage := range map[string]func(dir string){
		"a key of another":  func(dir string) { write(t, dir, first.CertPEM, second.KeyPEM) },
		"no certificate":    func(dir string) { write(t, dir, []byte("none"), first.KeyPEM) },
		"the files removed": func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, CertFile))) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files, until := following(t, dir)
			write(t, dir, first.CertPEM, first.KeyPEM)
			until(func() bool { return files.serves(first) })
			damage(dir)
			until(func() bool { return files.problem.Load() != nil })
			require.True(t, files.serves(first))
			require.NoError(t, files.Ready(nil))
			write(t, dir, second.CertPEM, second.KeyPEM)
			until(func() bool { return files.serves(second) })
		})
	}
}

func TestACertificateOutsideThisMachinesTimeIsServedAndReported(t *testing.T) {
	for name, off := range map[string]time.Duration{"a clock that is a day ahead": 24 * time.Hour, "a clock that is a day behind": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			clock := testclock.NewFakeClock(time.Now().Add(off))
			files, until := followingBy(t, dir, clock)
			registry := prometheus.NewRegistry()
			require.NoError(t, RegisterServing(registry, files))
			outside := func(value int) func() bool {
				return func() bool {
					return testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf("# HELP isolate_serving_certificate_outside_validity "+
						"1 where the certificate that this replica serves with is not valid at its machine's time.\n"+
						"# TYPE isolate_serving_certificate_outside_validity gauge\nisolate_serving_certificate_outside_validity %d\n", value)),
						"isolate_serving_certificate_outside_validity") == nil
				}
			}
			leaf := issued(t)
			write(t, dir, leaf.CertPEM, leaf.KeyPEM)
			until(outside(1))
			require.True(t, files.serves(leaf))
			require.NoError(t, files.Ready(nil))
			leaf = issuedAt(t, clock.Now())
			write(t, dir, leaf.CertPEM, leaf.KeyPEM)
			until(outside(0))
		})
	}
}
