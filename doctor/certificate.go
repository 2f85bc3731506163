package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	servingSecret = "isolate-webhook-tls"

	// renewalFraction is the divisor of a certificate's validity that gives the time left
	// below which its renewal is late: it is due when a third of the validity is left.
	renewalFraction = 6
)

// certificate checks how long the API server can still trust the webhook. It reads only the
// certificate from the Secret.
func (e *examination) certificate(ctx context.Context) Result {
	if e.found.Configuration == nil {
		return unreadable("until when the webhook's certificate is valid", e.found.Err)
	}
	var bundle []byte
	for i := range e.found.Configuration.Webhooks {
		bundle = append(bundle, e.found.Configuration.Webhooks[i].ClientConfig.CABundle...)
	}
	now := e.clock.Now()
	authority := latest(bundle)
	if authority == nil {
		return noAuthority()
	}
	if !now.Before(authority.NotAfter) {
		return authorityExpired(e.found.Namespace, authority.NotAfter)
	}
	secret, err := e.client.CoreV1().Secrets(e.found.Namespace).Get(ctx, servingSecret, metav1.GetOptions{})
	if err != nil {
		return servingUnread(authority.NotAfter, err)
	}
	serving := latest(secret.Data[corev1.TLSCertKey])
	switch {
	case serving == nil || !now.Before(serving.NotAfter):
		return servingExpired(e.found.Namespace)
	case serving.NotAfter.Sub(now) < serving.NotAfter.Sub(serving.NotBefore)/renewalFraction:
		return servingEnding(e.found.Namespace, serving.NotAfter, serving.NotAfter.Sub(now))
	}
	return certificateValid(serving.NotAfter, authority.NotAfter, serving.NotAfter.Sub(now).Truncate(time.Second))
}

// latest returns the certificate that expires last, or nil if there is none.
func latest(bundle []byte) *x509.Certificate {
	var last *x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && (last == nil || certificate.NotAfter.After(last.NotAfter)) {
			last = certificate
		}
	}
	return last
}
