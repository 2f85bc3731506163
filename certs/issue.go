package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/util/pki"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// keySize is that of P-256, which is cheapest in a TLS handshake.
const keySize = 256

// Pair is a certificate and its key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	// CertPEM and KeyPEM are the same, as a Secret holds them.
	CertPEM, KeyPEM []byte
}

// NewCA returns a new authority, which signs itself, valid from now on.
func NewCA(validity time.Duration) (*Pair, error) {
	return issue(nil, cmapi.CertificateSpec{
		CommonName: "isolate-ca",
		IsCA:       true,
		Usages:     []cmapi.KeyUsage{cmapi.UsageCertSign, cmapi.UsageDigitalSignature},
		Duration:   &metav1.Duration{Duration: validity},
	})
}

// Issue returns a new serving certificate for these host names and IP addresses.
func (ca *Pair) Issue(names, addresses []string, validity time.Duration) (*Pair, error) {
	return issue(ca, cmapi.CertificateSpec{
		DNSNames:    names,
		IPAddresses: addresses,
		Usages:      []cmapi.KeyUsage{cmapi.UsageServerAuth, cmapi.UsageDigitalSignature},
		Duration:    &metav1.Duration{Duration: validity},
	})
}

func issue(ca *Pair, spec cmapi.CertificateSpec) (*Pair, error) {
	spec.PrivateKey = &cmapi.CertificatePrivateKey{Algorithm: cmapi.ECDSAKeyAlgorithm, Size: keySize}
	key, err := pki.GenerateECPrivateKey(keySize)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	template, err := pki.CertificateTemplateFromCertificate(&cmapi.Certificate{Spec: spec})
	if err != nil {
		return nil, fmt.Errorf("describing a certificate: %w", err)
	}
	pair := &Pair{Key: key}
	if ca == nil {
		ca = &Pair{Cert: template, Key: key}
	}
	if pair.CertPEM, pair.Cert, err = pki.SignCertificate(template, ca.Cert, key.Public(), ca.Key); err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	if pair.KeyPEM, err = pki.EncodePKCS8PrivateKey(key); err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pair, nil
}

// selfSignedValidity outlives every process that is started without a certificate.
const selfSignedValidity = 365 * 24 * time.Hour

// SelfSigned fills a folder that has no certificate with one for these host
// names and IP addresses, and with the authority that signed it. A folder that
// has one is left as it is.
func SelfSigned(dir string, names, addresses []string) error {
	if _, err := os.Stat(filepath.Join(dir, CertFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ca, err := NewCA(selfSignedValidity)
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(names, addresses, selfSignedValidity)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{CAFile, ca.CertPEM}, {KeyFile, leaf.KeyPEM}, {CertFile, leaf.CertPEM}} {
		if err := os.WriteFile(filepath.Join(dir, file.name), file.data, 0o600); err != nil {
			return fmt.Errorf("writing a self-signed certificate: %w", err)
		}
	}
	return nil
}
