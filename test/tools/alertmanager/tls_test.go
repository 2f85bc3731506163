package alertmanager

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/waiting"
)

// writeCertificate writes a certificate for this host to a folder, as a mounted Secret has it.
func writeCertificate(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: certificate}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	return dir
}

func TestAlertmanagerSpeaksTLS(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, 1)
	dir := writeCertificate(t)
	r := startReceiver(t, append(allow(n), "--cert-dir="+dir)...)
	a := startAlertmanager(t, replace(t, shipped(t),
		"http://isolate-alert-receiver", "https://isolate-alert-receiver",
		"    http_config:\n", "    http_config:\n      tls_config: {ca_file: "+filepath.Join(dir, "tls.crt")+"}\n"), r, newPeople(t))
	pod := n.first()
	a.add(labels(pod)...)
	n.waitQuarantined(pod.Name)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err == nil { // Plain HTTP to the TLS port.
		defer response.Body.Close()
		require.Equal(t, http.StatusBadRequest, response.StatusCode)
	}
}

// Two lines in the file are two tokens, and a change needs no restart.
func TestTheTokenIsRotated(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(tokens ...string) {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(tokens, "\n")), 0o600))
	}
	write(token)
	r := startReceiver(t, "--token-file="+file)
	next, empty := strings.Repeat("f", 32), []byte(`{"version":"4","alerts":[]}`)
	answers := func(code int, token string) {
		t.Helper()
		got, body := r.post(empty, "Bearer "+token)
		require.Equal(t, code, got, body)
	}
	answers(http.StatusOK, token)
	answers(http.StatusUnauthorized, next)
	write(token, next)
	answers(http.StatusOK, token)
	answers(http.StatusOK, next)
	write(next)
	answers(http.StatusUnauthorized, token)
	answers(http.StatusOK, next)
	write("short")
	answers(http.StatusUnauthorized, "short")
	waiting.Until(t, func() bool { return !r.Ready(t.Context()) }, "a replica without a token is not ready")
}
