package authority

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMessagesOfARotation(t *testing.T) {
	const end = "2026-04-02T03:04:05Z"
	for got, want := range map[string]string{
		messageCARotated(CauseMissing, end):             "Created a new CA for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because there was none.",
		messageCARotated(CauseDamaged, end):             "Created a new CA for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because the stored one was unusable.",
		messageCARotated(CauseExpired, end):             "Created a new CA for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because the old one was not valid at this time.",
		messageCARotated(CauseDue, end):                 "Created a new CA for the webhook's certificate, valid until 2026-04-02T03:04:05Z, because two thirds of the old one's validity had passed.",
		messageCertificateRotated(CauseOtherCA, end):    "Issued a new certificate for the webhook, valid until 2026-04-02T03:04:05Z, because another CA had issued the old one.",
		messageCertificateRotated(CauseOtherNames, end): "Issued a new certificate for the webhook, valid until 2026-04-02T03:04:05Z, because the old one was for other host names.",
		messageBundleWritten(CauseDamaged):              "Rewrote the bundle of trusted CAs, because the stored one was unusable.",
		messageBundleWritten(CauseUnlisted):             "Rewrote the bundle of trusted CAs, because it lacked a CA that may have issued what replicas serve with.",
		messageCABundleWritten():                        "Updated the caBundle of the webhook configurations isolate: it differed from the bundle in Secret isolate-ca.",
		messageOldCARemoved():                           "Removed the webhook's old CA from the trusted CAs: every replica has had time to load the new certificate.",
	} {
		require.Equal(t, want, got)
	}
}

func TestMessagesOfABlockerSayWhatToDo(t *testing.T) {
	leaf := secret(ServingSecret, nil)
	for got, want := range map[string]string{
		messageOwnedByCertManager(leaf, "isolate-webhook"): "Secret isolate-system/isolate-webhook-tls belongs to cert-manager's Certificate isolate-webhook, so isolate does not touch it. " +
			"To let isolate issue the webhook's certificate: kubectl delete certificate -n isolate-system isolate-webhook --ignore-not-found, " +
			"then kubectl annotate secret -n isolate-system isolate-webhook-tls cert-manager.io/certificate-name-. " +
			"To leave it to cert-manager: run the sweeper without --self-signed.",
		messageImmutable(leaf): "Secret isolate-system/isolate-webhook-tls is immutable, so isolate can't renew the webhook's certificate. " +
			"Delete it, and isolate creates a new one: kubectl delete secret -n isolate-system isolate-webhook-tls",
		messageInjectedByCertManager("MutatingWebhookConfiguration", "cert-manager.io/inject-ca-from"): "cert-manager injects the caBundle of MutatingWebhookConfiguration isolate, so isolate does not touch it. " +
			"To let isolate write it: kubectl annotate mutatingwebhookconfiguration isolate cert-manager.io/inject-ca-from-. " +
			"To leave it to cert-manager: run the sweeper without --self-signed.",
		errNoProgress.Error(): "the webhook's certificate keeps being changed by something else: what is stored never matches what was written; " +
			"look for a webhook or a policy that changes Secret isolate-ca, Secret isolate-webhook-tls or MutatingWebhookConfiguration isolate",
	} {
		require.Equal(t, want, got)
	}
}

func TestMessagesOfAClockSkew(t *testing.T) {
	require.Equal(t, "The API server's clock is 24h0m0s ahead of this machine's. "+
		"Certificates are issued by the API server's clock; check time synchronization on the node.", messageClockSkewed(24*time.Hour+time.Millisecond))
	require.Equal(t, "The API server's clock is 24h0m0s behind this machine's. "+
		"Certificates are issued by the API server's clock; check time synchronization on the node.", messageClockSkewed(-24*time.Hour))
}

func TestLogMessages(t *testing.T) {
	require.Equal(t, "The webhook's certificate is managed again", logUnblocked)
	require.Equal(t, "This machine's clock and the API server's agree again", logClocksAgree)
}
