package authority

import (
	"errors"
	"fmt"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
)

// Cause is why a certificate is issued or a bundle rewritten. It is part of the log
// and of the event.
type Cause string

// The causes.
const (
	CauseMissing    Cause = "there was none"
	CauseDamaged    Cause = "the stored one was unusable"
	CauseExpired    Cause = "the old one was not valid at this time"
	CauseDue        Cause = "two thirds of the old one's validity had passed"
	CauseOtherCA    Cause = "another CA had issued the old one"
	CauseOtherNames Cause = "the old one was for other host names"
	CauseUnlisted   Cause = "it lacked a CA that may have issued what replicas serve with"
)

// Reasons of the events.
const (
	reasonCARotated          = "CARotated"
	reasonCertificateRotated = "CertificateRotated"
	reasonOldCARemoved       = "OldCARemoved"
	reasonCABundleWritten    = "CABundleWritten"
	reasonCertificateBlocked = "CertificateBlocked"
	reasonClockSkewed        = "ClockSkewed"
)

// Log messages.
const (
	logUnblocked   = "The webhook's certificate is managed again"
	logClocksAgree = "This machine's clock and the API server's agree again"
)

// errNoProgress is the error of a rotation that never ends.
var errNoProgress = errors.New("the webhook's certificate keeps being changed by something else: what is stored never matches what was written; " +
	"look for a webhook or a policy that changes Secret " + CASecret + ", Secret " + ServingSecret +
	" or MutatingWebhookConfiguration " + Configuration)

func messageCARotated(cause Cause, notAfter string) string {
	return fmt.Sprintf("Created a new CA for the webhook's certificate, valid until %s, because %s.", notAfter, cause)
}

func messageCertificateRotated(cause Cause, notAfter string) string {
	return fmt.Sprintf("Issued a new certificate for the webhook, valid until %s, because %s.", notAfter, cause)
}

func messageOldCARemoved() string {
	return "Removed the webhook's old CA from the trusted CAs: every replica has had time to load the new certificate."
}

func messageBundleWritten(cause Cause) string {
	return fmt.Sprintf("Rewrote the bundle of trusted CAs, because %s.", cause)
}

func messageCABundleWritten() string {
	return "Updated the caBundle of the webhook configurations " + Configuration + ": it differed from the bundle in Secret " + CASecret + "."
}

func messageOwnedByCertManager(secret *corev1.Secret, certificate string) string {
	return fmt.Sprintf("Secret %[1]s/%[2]s belongs to cert-manager's Certificate %[3]s, so isolate does not touch it. "+
		"To let isolate issue the webhook's certificate: kubectl delete certificate -n %[1]s %[3]s --ignore-not-found, "+
		"then kubectl annotate secret -n %[1]s %[2]s %[4]s-. To leave it to cert-manager: run the sweeper without --self-signed.",
		secret.Namespace, secret.Name, certificate, cmapi.CertificateNameKey)
}

func messageImmutable(secret *corev1.Secret) string {
	return fmt.Sprintf("Secret %[1]s/%[2]s is immutable, so isolate can't renew the webhook's certificate. "+
		"Delete it, and isolate creates a new one: kubectl delete secret -n %[1]s %[2]s", secret.Namespace, secret.Name)
}

func messageInjectedByCertManager(kind, key string) string {
	return fmt.Sprintf("cert-manager injects the caBundle of %[1]s %[2]s, so isolate does not touch it. "+
		"To let isolate write it: kubectl annotate %[3]s %[2]s %[4]s-. "+
		"To leave it to cert-manager: run the sweeper without --self-signed.", kind, Configuration, strings.ToLower(kind), key)
}

func messageClockSkewed(ahead time.Duration) string {
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("The API server's clock is %s %s this machine's. "+
		"Certificates are issued by the API server's clock; check time synchronization on the node.", ahead.Abs().Round(time.Second), direction)
}
