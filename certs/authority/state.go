package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"

	"github.com/cert-manager/cert-manager/pkg/util/pki"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/certs"
)

// The objects that the authority manages. It touches no others.
const (
	// CASecret holds the CA: tls.crt and tls.key sign, ca.crt is the bundle that the
	// API server is to trust, this CA first.
	CASecret = "isolate-ca"

	// ServingSecret holds the webhook's serving certificate, and in ca.crt its issuer.
	ServingSecret = "isolate-webhook-tls"

	// Configuration is the name of the MutatingWebhookConfiguration and of the
	// ValidatingWebhookConfiguration whose caBundles are managed.
	Configuration = "isolate"
)

// Annotations of the CA's Secret that record the progress of a rotation: RFC 3339
// in UTC, or empty if it has not come that far. The sweeper writes and reads them.
const (
	// TrustedSinceKey is when the webhook configuration received the bundle.
	TrustedSinceKey = "isolate.example.io/ca-trusted-since"

	// ServedSinceKey is when the serving Secret received a certificate that this CA
	// issued.
	ServedSinceKey = "isolate.example.io/ca-served-since"
)

// nameConstraints is the extension that restricts the names a CA may sign for.
var nameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// maxBundle bounds the CAs of a bundle that is rebuilt from the objects.
const maxBundle = 8

// State is the stored objects; nil for one that doesn't exist.
type State struct {
	CA            *corev1.Secret
	Serving       *corev1.Secret
	Configuration *admissionregistrationv1.MutatingWebhookConfiguration
	Validating    *admissionregistrationv1.ValidatingWebhookConfiguration
}

// called reports whether a configuration has the API server call the webhook.
func (s State) called() bool { return s.Configuration != nil || s.Validating != nil }

// caBundles returns the caBundle of every webhook of both configurations.
func (s State) caBundles() [][]byte {
	var bundles [][]byte
	if s.Configuration != nil {
		for i := range s.Configuration.Webhooks {
			bundles = append(bundles, s.Configuration.Webhooks[i].ClientConfig.CABundle)
		}
	}
	if s.Validating != nil {
		for i := range s.Validating.Webhooks {
			bundles = append(bundles, s.Validating.Webhooks[i].ClientConfig.CABundle)
		}
	}
	return bundles
}

// storedCA is the content of the CA's Secret.
type storedCA struct {
	*Pair
	// bundle is the CAs to trust, this CA first.
	bundle                    []*x509.Certificate
	trustedSince, servedSince time.Time // zero if unset
}

// readCA returns the CA, or nil if the Secret has none that could sign now.
func readCA(secret *corev1.Secret, now time.Time) *storedCA {
	if secret == nil {
		return nil
	}
	pair, err := parsePair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil || !pair.Cert.IsCA || !isP256(pair.Cert) || isConstrained(pair.Cert) ||
		pair.Cert.CheckSignatureFrom(pair.Cert) != nil || !valid(pair.Cert, now) {
		return nil
	}
	return &storedCA{
		Pair:         pair,
		bundle:       certificates(secret.Data[certs.CAFile]),
		trustedSince: progressTime(secret, TrustedSinceKey, now),
		servedSince:  progressTime(secret, ServedSinceKey, now),
	}
}

// progressTime reads an annotation. A time in the future was written by a wrong
// clock and is ignored.
func progressTime(secret *corev1.Secret, key string, now time.Time) time.Time {
	t, err := time.Parse(time.RFC3339, secret.Annotations[key])
	if err != nil || t.After(now.Add(backdate)) {
		return time.Time{}
	}
	return t
}

// progress returns the annotations that record the progress of a rotation. Both are
// always written: an apply that omits one leaves it in place if another field
// manager, such as a backup tool, wrote it last.
func progress(c *storedCA) map[string]string {
	annotations := map[string]string{TrustedSinceKey: "", ServedSinceKey: ""}
	for key, since := range map[string]time.Time{TrustedSinceKey: c.trustedSince, ServedSinceKey: c.servedSince} {
		if !since.IsZero() {
			annotations[key] = rfc3339(since)
		}
	}
	return annotations
}

// rfc3339 rounds up, so that a recorded time has always passed.
func rfc3339(t time.Time) string {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second).UTC().Format(time.RFC3339)
}

// isFirst reports whether this CA is the first of the bundle.
func (c *storedCA) isFirst() bool { return len(c.bundle) > 0 && c.bundle[0].Equal(c.Cert) }

// hasOthers reports whether the bundle has further CAs.
func (c *storedCA) hasOthers() bool { return len(c.bundle) > 1 }

// issued reports whether this CA issued a certificate.
func (c *storedCA) issued(leaf *x509.Certificate) bool {
	return leaf.CheckSignatureFrom(c.Cert) == nil
}

// verifies reports whether a client trusting only this CA accepts the certificate,
// ignoring its name.
func (c *storedCA) verifies(leaf *x509.Certificate, now time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(c.Cert)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now})
	return err == nil
}

// isConstrained reports whether a CA may be limited to some names or some uses, so
// that its certificates may not be accepted for the webhook.
func isConstrained(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage)+len(c.UnhandledCriticalExtensions) > 0 ||
		slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(nameConstraints) })
}

// readServing returns the serving certificate, or nil if the Secret has no usable one.
func readServing(secret *corev1.Secret) *Pair {
	if secret == nil {
		return nil
	}
	pair, err := parsePair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil
	}
	return pair
}

// injected reports whether every webhook has this bundle.
func injected(s State, bundle []byte) bool {
	return !slices.ContainsFunc(s.caBundles(), func(stored []byte) bool { return !bytes.Equal(stored, bundle) })
}

// knownCAs returns the CAs that may have issued a certificate with which a replica of the
// webhook still serves: those in the CA's bundle. Without a bundle, it returns the CAs in
// the CA's Secret, those that the API server trusts now, and the issuer of the serving
// certificate.
func knownCAs(s State, ca *storedCA, now time.Time) []*x509.Certificate {
	var candidates []*x509.Certificate
	if ca != nil && ca.isFirst() {
		candidates = ca.bundle
	} else {
		for _, secret := range []*corev1.Secret{s.CA, s.Serving} {
			if secret != nil {
				candidates = append(candidates, certificates(secret.Data[certs.CAFile])...)
			}
		}
		for _, bundle := range s.caBundles() {
			candidates = append(candidates, certificates(bundle)...)
		}
	}
	var kept []*x509.Certificate
	for _, candidate := range candidates {
		if candidate.IsCA && valid(candidate, now) && !slices.ContainsFunc(kept, candidate.Equal) && len(kept) < maxBundle {
			kept = append(kept, candidate)
		}
	}
	return kept
}

// certificates parses a PEM file, and returns none if it can't be parsed.
func certificates(data []byte) []*x509.Certificate {
	parsed, err := pki.DecodeX509CertificateSetBytes(data)
	if err != nil {
		return nil
	}
	return parsed
}

// encode writes a PEM file. cert-manager's function for a chain leaves out
// self-signed certificates.
func encode(chain []*x509.Certificate) ([]byte, error) {
	var data []byte
	for _, c := range chain {
		encoded, err := pki.EncodeX509(c)
		if err != nil {
			return nil, err
		}
		data = append(data, encoded...)
	}
	return data, nil
}

func isP256(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	return ok && key.Curve == elliptic.P256()
}
