package certs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatIsDoneIsSaidWithWhy(t *testing.T) {
	const end = "2026-04-02T03:04:05Z"
	for said, sentence := range map[string]string{
		sayNewCA(WhyMissing, end):    "Made a new authority for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because there was none.",
		sayNewCA(WhyDamaged, end):    "Made a new authority for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because what was stored could not be used.",
		sayNewCA(WhyExpired, end):    "Made a new authority for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because the old one was not valid at this time.",
		sayNewCA(WhyDue, end):        "Made a new authority for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because two thirds of the old one's validity had passed.",
		sayServe(WhyOtherCA, end):    "Made a new certificate for the webhook, valid until 2026-04-02T03:04:05Z, because another authority had signed the old one.",
		sayServe(WhyOtherNames, end): "Made a new certificate for the webhook, valid until 2026-04-02T03:04:05Z, because the old one was for other host names.",
		sayBundle(WhyDamaged):        "Wrote the list of the authorities to trust anew, because what was stored could not be used.",
		sayBundle(WhyUnlisted):       "Wrote the list of the authorities to trust anew, because one was missing that replicas may be serving under.",
		sayInject():                  "Wrote the caBundle of MutatingWebhookConfiguration isolate: it was not what isolate's authority wants trusted.",
		sayForget():                  "The webhook's old authority is no longer trusted: every replica has had time to take over the new certificate.",
	} {
		require.Equal(t, sentence, said)
	}
}

func TestAnObstacleIsSaidWithWhatToDo(t *testing.T) {
	leaf := secret(ServingSecret, nil)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: Configuration}}
	for said, sentence := range map[string]string{
		sayCertManagers(leaf, "isolate-webhook"): "Secret isolate-system/isolate-webhook-tls belongs to cert-manager's Certificate isolate-webhook, so isolate does not touch it. " +
			"To have isolate make the webhook's certificate: kubectl delete certificate -n isolate-system isolate-webhook --ignore-not-found, " +
			"then kubectl annotate secret -n isolate-system isolate-webhook-tls cert-manager.io/certificate-name-. " +
			"To leave it to cert-manager: start the sweeper without --self-signed.",
		sayImmutable(leaf): "Secret isolate-system/isolate-webhook-tls is immutable, so isolate can't renew the webhook's certificate. " +
			"Delete it, and isolate makes another: kubectl delete secret -n isolate-system isolate-webhook-tls",
		sayInjected(configuration, "cert-manager.io/inject-ca-from"): "MutatingWebhookConfiguration isolate has cert-manager write its caBundle, so isolate does not touch it. " +
			"To have isolate write it: kubectl annotate mutatingwebhookconfiguration isolate cert-manager.io/inject-ca-from-. " +
			"To leave it to cert-manager: start the sweeper without --self-signed.",
		errRestless.Error(): "the webhook's certificate was written again and again, and is stored otherwise each time: " +
			"look for a webhook or a policy that changes Secret isolate-ca, Secret isolate-webhook-tls or MutatingWebhookConfiguration isolate",
	} {
		require.Equal(t, sentence, said)
	}
}

func TestClocksThatDifferAreSaidFromThisMachinesSide(t *testing.T) {
	require.Equal(t, "The API server's clock is ahead of this machine's by 24h0m0s. "+
		"Certificates are made by the API server's; check time synchronization on the node.", saySkewed(24*time.Hour+time.Millisecond))
	require.Equal(t, "The API server's clock is behind this machine's by 24h0m0s. "+
		"Certificates are made by the API server's; check time synchronization on the node.", saySkewed(-24*time.Hour))
}

func TestWhatIsLoggedIsAFullSentence(t *testing.T) {
	for said, sentence := range map[string]string{
		logUnblocked:    "What kept isolate from keeping the webhook's certificate is gone",
		logAgreeing:     "This machine's clock and the API server's agree again",
		logTaken:        "Serving with a new certificate",
		logGoingOn:      "Going on with the certificate read before, if any",
		logOutside:      "The serving certificate is not valid at this machine's time, so API servers may refuse it; check time synchronization, and who issues it",
		logInside:       "The serving certificate is valid at this machine's time",
		errNone.Error(): "not read yet",
	} {
		require.Equal(t, sentence, said)
	}
}
