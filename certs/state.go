package certs

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
)

// The objects that the self-signed authority keeps. It touches no others.
const (
	// CASecret holds the authority: tls.crt and tls.key sign, ca.crt is the bundle
	// that the API server is to trust, this authority first.
	CASecret = "isolate-ca"

	// ServingSecret holds what the webhook serves with, and in ca.crt who signed it.
	ServingSecret = "isolate-webhook-tls"

	// Configuration is the MutatingWebhookConfiguration whose caBundle is kept.
	Configuration = "isolate"
)

// Annotations of the authority's Secret: how far a rotation has come. RFC 3339,
// UTC, or empty where it hasn't come so far. Written and read by the sweeper.
const (
	// TrustedSinceKey is since when the webhook configuration has had the bundle.
	TrustedSinceKey = "isolate.example.io/ca-trusted-since"

	// ServedSinceKey is since when the serving Secret has had a certificate that
	// this authority signed.
	ServedSinceKey = "isolate.example.io/ca-served-since"
)

// nameConstraints is the extension that limits for which names an authority signs.
var nameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// maxBundle bounds how many authorities are adopted when the bundle has to be
// put together from what is found.
const maxBundle = 8

// State are the objects as they are stored; nil where there is none.
type State struct {
	CA            *corev1.Secret
	Serving       *corev1.Secret
	Configuration *admissionregistrationv1.MutatingWebhookConfiguration
}

// authority is what the authority's Secret says.
type authority struct {
	*Pair
	// bundle are the certificates to trust, the authority's own first.
	bundle                    []*x509.Certificate
	trustedSince, servedSince time.Time // zero where it isn't so
}

// readAuthority returns nil where the Secret has no authority that could sign now.
func readAuthority(secret *corev1.Secret, now time.Time) *authority {
	if secret == nil {
		return nil
	}
	pair, err := parsePair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil || !pair.Cert.IsCA || !isP256(pair.Cert) || restricted(pair.Cert) ||
		pair.Cert.CheckSignatureFrom(pair.Cert) != nil || !valid(pair.Cert, now) {
		return nil
	}
	return &authority{
		Pair:         pair,
		bundle:       certificates(secret.Data[CAFile]),
		trustedSince: stamp(secret, TrustedSinceKey, now),
		servedSince:  stamp(secret, ServedSinceKey, now),
	}
}

// stamp reads an annotation. One from the future, written by a clock that was
// wrong, says nothing.
func stamp(secret *corev1.Secret, key string, now time.Time) time.Time {
	t, err := time.Parse(time.RFC3339, secret.Annotations[key])
	if err != nil || t.After(now.Add(backdate)) {
		return time.Time{}
	}
	return t
}

// stamps are the annotations that say how far a rotation has come. Both are always
// written: one that is only left out stays, where it was someone else who wrote it
// last, such as the restore of a backup.
func stamps(a *authority) map[string]string {
	annotations := map[string]string{TrustedSinceKey: "", ServedSinceKey: ""}
	for key, since := range map[string]time.Time{TrustedSinceKey: a.trustedSince, ServedSinceKey: a.servedSince} {
		if !since.IsZero() {
			annotations[key] = rfc3339(since)
		}
	}
	return annotations
}

// rfc3339 rounds up: what is noted as past has passed.
func rfc3339(t time.Time) string {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second).UTC().Format(time.RFC3339)
}

// leads is whether the bundle can be what this authority has the API server trust.
func (a *authority) leads() bool { return len(a.bundle) > 0 && a.bundle[0].Equal(a.Cert) }

// others is whether the bundle has further authorities.
func (a *authority) others() bool { return len(a.bundle) > 1 }

// signed is whether this authority signed a certificate.
func (a *authority) signed(leaf *x509.Certificate) bool {
	return leaf.CheckSignatureFrom(a.Cert) == nil
}

// vouches is whether an API server that trusts this authority accepts a certificate
// from a server, whatever that one's name.
func (a *authority) vouches(leaf *x509.Certificate, now time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now})
	return err == nil
}

// restricted is whether what an authority signs may count for less than the webhook
// needs: some names only, or some uses.
func restricted(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage)+len(c.UnhandledCriticalExtensions) > 0 ||
		slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(nameConstraints) })
}

// readServing returns nil where the Secret has nothing that could be served.
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

// injected is whether every webhook of the configuration has this bundle.
func injected(configuration *admissionregistrationv1.MutatingWebhookConfiguration, bundle []byte) bool {
	for i := range configuration.Webhooks {
		if !bytes.Equal(configuration.Webhooks[i].ClientConfig.CABundle, bundle) {
			return false
		}
	}
	return true
}

// found are the authorities that a replica of the webhook may still be serving
// under, as far as the objects tell: those in the authority's own bundle. Where
// there is none to go by: whatever the authority's Secret has, those that the API
// server trusts now, and who signed what is to be served.
func found(s State, a *authority, now time.Time) []*x509.Certificate {
	var candidates []*x509.Certificate
	if a != nil && a.leads() {
		candidates = a.bundle
	} else {
		for _, secret := range []*corev1.Secret{s.CA, s.Serving} {
			if secret != nil {
				candidates = append(candidates, certificates(secret.Data[CAFile])...)
			}
		}
		if s.Configuration != nil {
			for i := range s.Configuration.Webhooks {
				candidates = append(candidates, certificates(s.Configuration.Webhooks[i].ClientConfig.CABundle)...)
			}
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

// certificates are those of a PEM file; none where it can't be read.
func certificates(data []byte) []*x509.Certificate {
	certs, err := pki.DecodeX509CertificateSetBytes(data)
	if err != nil {
		return nil
	}
	return certs
}

// encode is the opposite. Of cert-manager's functions the one for a chain leaves
// out certificates that sign themselves.
func encode(certs []*x509.Certificate) ([]byte, error) {
	var data []byte
	for _, c := range certs {
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
