package authority

import (
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"isolate.example.io/certs"
)

func TestValidatingConfigurationGetsTheBundleToo(t *testing.T) {
	w := rotated(t, newCA(t, start))
	w.Validating = &admissionregistrationv1.ValidatingWebhookConfiguration{
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{Name: "quarantines.isolate.example.io"}},
	}
	require.Equal(t, ActionInject, Next(w.State, w.now, w.config).Action)

	w.Validating.Webhooks[0].ClientConfig.CABundle = w.CA.Data[certs.CAFile]
	require.Equal(t, ActionWait, Next(w.State, w.now, w.config).Action)

	w.Validating.Annotations = map[string]string{cmapi.WantInjectAnnotation: "isolate-system/isolate-ca"}
	require.Equal(t, ActionBlocked, Next(w.State, w.now, w.config).Action)
}
