package authority

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/util/pki"
)

// keySize selects P-256, the cheapest curve in a TLS handshake.
const keySize = 256

// Pair is a certificate and its key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	// CertPEM and KeyPEM are the same in PEM, as stored in a Secret.
	CertPEM, KeyPEM []byte
}

// backdate is how long before its issuance a certificate becomes valid, for clocks
// that are slightly behind.
const backdate = time.Minute

// NewCA returns a new self-signed CA, valid from now on.
func NewCA(now time.Time, validity time.Duration) (*Pair, error) {
	return issue(nil, now, now.Add(validity), cmapi.CertificateSpec{
		CommonName: "isolate-ca",
		IsCA:       true,
		Usages:     []cmapi.KeyUsage{cmapi.UsageCertSign, cmapi.UsageDigitalSignature},
	})
}

// Issue returns a new serving certificate for these host names and IP addresses.
// It expires no later than the CA.
func (ca *Pair) Issue(now time.Time, names, addresses []string, validity time.Duration) (*Pair, error) {
	notAfter := now.Add(validity)
	if notAfter.After(ca.Cert.NotAfter) {
		notAfter = ca.Cert.NotAfter
	}
	return issue(ca, now, notAfter, cmapi.CertificateSpec{
		DNSNames:    names,
		IPAddresses: addresses,
		Usages:      []cmapi.KeyUsage{cmapi.UsageServerAuth, cmapi.UsageDigitalSignature},
	})
}

func issue(ca *Pair, now, notAfter time.Time, spec cmapi.CertificateSpec) (*Pair, error) {
	spec.PrivateKey = &cmapi.CertificatePrivateKey{Algorithm: cmapi.ECDSAKeyAlgorithm, Size: keySize}
	key, err := pki.GenerateECPrivateKey(keySize)
	if err != nil {
		return nil, fmt.Errorf("generating a key: %w", err)
	}
	template, err := pki.CertificateTemplateFromCertificate(&cmapi.Certificate{Spec: spec})
	if err != nil {
		return nil, fmt.Errorf("building a certificate template: %w", err)
	}
	template.NotBefore, template.NotAfter = now.Add(-backdate), notAfter
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

// parsePair parses the content of a Secret of type kubernetes.io/tls.
func parsePair(cert, key []byte) (*Pair, error) {
	pair := &Pair{CertPEM: cert, KeyPEM: key}
	var err error
	if pair.Cert, err = pki.DecodeX509CertificateBytes(cert); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	if pair.Key, err = pki.DecodePrivateKeyBytes(key); err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	if matches, err := pki.PublicKeyMatchesCertificate(pair.Key.Public(), pair.Cert); err != nil || !matches {
		return nil, errors.Join(errors.New("the key does not belong to the certificate"), err)
	}
	return pair, nil
}

// renewal returns when two thirds of a certificate's validity have passed.
func renewal(cert *x509.Certificate) time.Time {
	return cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore.Add(backdate)) / 3)
}

// valid reports whether a certificate is valid at that time.
func valid(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && !now.After(cert.NotAfter)
}
