package certs

import (
	"errors"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

// Why says why a certificate is made. It is part of the log and of the event.
type Why string

// The reasons.
const (
	WhyMissing    Why = "there was none"
	WhyDamaged    Why = "what was stored could not be used"
	WhyExpired    Why = "the old one was not valid at this time"
	WhyDue        Why = "two thirds of the old one's validity had passed"
	WhyOtherCA    Why = "another authority had signed the old one"
	WhyOtherNames Why = "the old one was for other host names"
	WhyUnlisted   Why = "one was missing that replicas may be serving under"
)

// Reasons of the events.
const (
	reasonNewCA   = "CARotated"
	reasonServe   = "CertificateRotated"
	reasonForget  = "OldCARemoved"
	reasonInject  = "CABundleWritten"
	reasonBlocked = "CertificateBlocked"
	reasonSkewed  = "ClockSkewed"
	actionKeep    = "KeepCertificate"
	logUnblocked  = "What kept isolate from keeping the webhook's certificate is gone"
	logAgreeing   = "This machine's clock and the API server's agree again"
	logTaken      = "Serving with a new certificate"
	logGoingOn    = "Going on with the certificate read before, if any"
	logOutside    = "The serving certificate is not valid at this machine's time, so API servers may refuse it; check time synchronization, and who issues it"
	logInside     = "The serving certificate is valid at this machine's time"
)

// errRestless is said where a rotation makes no progress.
var errRestless = errors.New("the webhook's certificate was written again and again, and is stored otherwise each time: " +
	"look for a webhook or a policy that changes Secret " + CASecret + ", Secret " + ServingSecret +
	" or MutatingWebhookConfiguration " + Configuration)

// errNone is said until there is a certificate.
var errNone = errors.New("not read yet")

func sayNewCA(why Why, notAfter string) string {
	return fmt.Sprintf("Made a new authority for the webhook's certificate, valid until %s, because %s.", notAfter, why)
}

func sayServe(why Why, notAfter string) string {
	return fmt.Sprintf("Made a new certificate for the webhook, valid until %s, because %s.", notAfter, why)
}

func sayForget() string {
	return "The webhook's old authority is no longer trusted: every replica has had time to take over the new certificate."
}

func sayBundle(why Why) string {
	return fmt.Sprintf("Wrote the list of the authorities to trust anew, because %s.", why)
}

func sayInject() string {
	return "Wrote the caBundle of MutatingWebhookConfiguration " + Configuration + ": it was not what isolate's authority wants trusted."
}

func sayCertManagers(secret *corev1.Secret, certificate string) string {
	return fmt.Sprintf("Secret %[1]s/%[2]s belongs to cert-manager's Certificate %[3]s, so isolate does not touch it. "+
		"To have isolate make the webhook's certificate: kubectl delete certificate -n %[1]s %[3]s --ignore-not-found, "+
		"then kubectl annotate secret -n %[1]s %[2]s %[4]s-. To leave it to cert-manager: start the sweeper without --self-signed.",
		secret.Namespace, secret.Name, certificate, cmapi.CertificateNameKey)
}

func sayImmutable(secret *corev1.Secret) string {
	return fmt.Sprintf("Secret %[1]s/%[2]s is immutable, so isolate can't renew the webhook's certificate. "+
		"Delete it, and isolate makes another: kubectl delete secret -n %[1]s %[2]s", secret.Namespace, secret.Name)
}

func sayInjected(configuration *admissionregistrationv1.MutatingWebhookConfiguration, key string) string {
	return fmt.Sprintf("MutatingWebhookConfiguration %[1]s has cert-manager write its caBundle, so isolate does not touch it. "+
		"To have isolate write it: kubectl annotate mutatingwebhookconfiguration %[1]s %[2]s-. "+
		"To leave it to cert-manager: start the sweeper without --self-signed.", configuration.Name, key)
}

func saySkewed(ahead time.Duration) string {
	where := "ahead of"
	if ahead < 0 {
		where = "behind"
	}
	return fmt.Sprintf("The API server's clock is %s this machine's by %s. "+
		"Certificates are made by the API server's; check time synchronization on the node.", where, ahead.Abs().Round(time.Second))
}
