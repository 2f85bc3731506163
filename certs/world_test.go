package certs

import (
	"crypto/x509"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/util/pki"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	caValidity      = 90 * 24 * time.Hour
	servingValidity = 24 * time.Hour
	propagation     = 5 * time.Minute
)

var (
	start    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	settings = Settings{
		Names:      []string{"isolate-webhook.isolate-system.svc"},
		CAValidity: caValidity, ServingValidity: servingValidity, Propagation: propagation,
	}
)

func newCA(t *testing.T, at time.Time) *Pair {
	t.Helper()
	ca, err := NewCA(at, caValidity)
	require.NoError(t, err)
	return ca
}

// world is the state, with what a rotation knows besides.
type world struct {
	*testing.T
	State
	settings Settings
	now      time.Time

	// served and trusted are what the Secret and the webhook configuration had, one
	// after the other.
	served, trusted []version
}

func secret(name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "isolate-system", Name: name, Annotations: map[string]string{}}, Data: data}
}

func pem(t *testing.T, cas ...*Pair) []byte {
	t.Helper()
	var chain []*x509.Certificate
	for _, ca := range cas {
		chain = append(chain, ca.Cert)
	}
	data, err := encode(chain)
	require.NoError(t, err)
	return data
}

// settled is a world in which nothing has to be done: an authority, trusted for
// long, and a certificate that it signed.
func settled(t *testing.T, ca *Pair) *world {
	t.Helper()
	w := &world{T: t, settings: settings, now: start}
	w.holds(ca, ca).serves(ca, start)
	w.Configuration = &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: Configuration},
		Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "pods.isolate.example.io"}},
	}
	w.trusts(w.CA.Data[CAFile])
	w.CA.Annotations[TrustedSinceKey] = start.Add(-time.Hour).Format(time.RFC3339)
	return w
}

func (w *world) holds(ca *Pair, bundle ...*Pair) *world {
	w.CA = secret(CASecret, map[string][]byte{"tls.crt": ca.CertPEM, "tls.key": ca.KeyPEM, CAFile: pem(w.T, bundle...)})
	return w
}

func (w *world) serves(ca *Pair, at time.Time) *world {
	w.Helper()
	leaf, err := ca.Issue(at, w.settings.Names, nil, w.settings.ServingValidity)
	require.NoError(w, err)
	return w.stores(leaf, ca)
}

// servesAs has the certificate of the authority differ from what it should be.
func (w *world) servesAs(ca *Pair, spec cmapi.CertificateSpec) {
	w.Helper()
	leaf, err := issue(ca, start, start.Add(servingValidity), spec)
	require.NoError(w, err)
	w.stores(leaf, ca)
}

func (w *world) stores(leaf, ca *Pair) *world {
	w.Serving = secret(ServingSecret, map[string][]byte{"tls.crt": leaf.CertPEM, "tls.key": leaf.KeyPEM, CAFile: ca.CertPEM})
	return w
}

func (w *world) trusts(bundle []byte) {
	w.Configuration = w.Configuration.DeepCopy()
	w.Configuration.Webhooks[0].ClientConfig.CABundle = bundle
}

// constrained is an authority that may sign for the names of a domain only.
func constrained(t *testing.T) *Pair {
	t.Helper()
	ca := newCA(t, start)
	template := *ca.Cert
	template.PermittedDNSDomainsCritical, template.PermittedDNSDomains = true, []string{"example.com"}
	var err error
	ca.CertPEM, ca.Cert, err = pki.SignCertificate(&template, &template, ca.Key.Public(), ca.Key)
	require.NoError(t, err)
	return ca
}

// take does what the adapter does of a step that was decided by what was read. It
// is false where the API server would say that something has changed since: of
// what exists, that is; what is created is written over what another has created.
func (w *world) take(step Step, read State) bool {
	w.Helper()
	switch step.Action {
	case ActionNewCA, ActionBundle, ActionForget, ActionStamp:
		if read.CA != nil && read.CA != w.CA {
			return false
		}
		w.writeCA(step, read.CA)
	case ActionInject:
		if read.Configuration != w.Configuration {
			return false
		}
		w.trusts(read.CA.Data[CAFile])
	case ActionServe:
		if read.Serving != nil && read.Serving != w.Serving {
			return false
		}
		w.serves(must(parsePair(read.CA.Data["tls.crt"], read.CA.Data["tls.key"])), w.now)
	}
	return true
}

func (w *world) writeCA(step Step, old *corev1.Secret) {
	w.Helper()
	bundle, err := encode(step.Bundle)
	require.NoError(w, err)
	switch step.Action {
	case ActionNewCA:
		ca, err := NewCA(w.now, w.settings.CAValidity)
		require.NoError(w, err)
		w.CA = secret(CASecret, map[string][]byte{"tls.crt": ca.CertPEM, "tls.key": ca.KeyPEM, CAFile: append(ca.CertPEM, bundle...)})
	case ActionStamp:
		w.CA = old.DeepCopy()
		w.CA.Annotations = stamps(&authority{trustedSince: step.Trusted, servedSince: step.Served})
	case ActionBundle:
		w.CA = old.DeepCopy()
		w.CA.Annotations = stamps(&authority{})
		w.CA.Data[CAFile] = bundle
	case ActionForget:
		w.CA = old.DeepCopy()
		w.CA.Data[CAFile] = bundle
	}
}

func must(p *Pair, err error) *Pair {
	if err != nil {
		panic(err)
	}
	return p
}
