package authority

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

	"isolate.example.io/certs"
)

const (
	caValidity      = 90 * 24 * time.Hour
	servingValidity = 24 * time.Hour
	propagation     = 5 * time.Minute
)

var (
	start  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	config = Config{
		DNSNames:   []string{"isolate-webhook.isolate-system.svc"},
		CAValidity: caValidity, ServingValidity: servingValidity, Propagation: propagation,
	}
)

func newCA(t *testing.T, at time.Time) *Pair {
	t.Helper()
	ca, err := NewCA(at, caValidity)
	require.NoError(t, err)
	return ca
}

// world is the stored objects, their history, and the time.
type world struct {
	*testing.T
	State
	config Config
	now    time.Time

	// served and trusted are the versions of the serving Secret and of the webhook
	// configuration, oldest first.
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

// rotated returns a world in which there is nothing to do: with a CA that has been trusted
// for long, and a serving certificate that it issued.
func rotated(t *testing.T, ca *Pair) *world {
	t.Helper()
	w := &world{T: t, config: config, now: start}
	w.holds(ca, ca).serves(ca, start)
	w.Configuration = &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: Configuration},
		Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "pods.isolate.example.io"}},
	}
	w.trusts(w.CA.Data[certs.CAFile])
	w.CA.Annotations[TrustedSinceKey] = start.Add(-time.Hour).Format(time.RFC3339)
	return w
}

func (w *world) holds(ca *Pair, bundle ...*Pair) *world {
	w.CA = secret(CASecret, map[string][]byte{"tls.crt": ca.CertPEM, "tls.key": ca.KeyPEM, certs.CAFile: pem(w.T, bundle...)})
	return w
}

func (w *world) serves(ca *Pair, at time.Time) *world {
	w.Helper()
	leaf, err := ca.Issue(at, w.config.DNSNames, nil, w.config.ServingValidity)
	require.NoError(w, err)
	return w.stores(leaf, ca)
}

// servesAs stores a serving certificate of this specification.
func (w *world) servesAs(ca *Pair, spec cmapi.CertificateSpec) {
	w.Helper()
	leaf, err := issue(ca, start, start.Add(servingValidity), spec)
	require.NoError(w, err)
	w.stores(leaf, ca)
}

func (w *world) stores(leaf, ca *Pair) *world {
	w.Serving = secret(ServingSecret, map[string][]byte{"tls.crt": leaf.CertPEM, "tls.key": leaf.KeyPEM, certs.CAFile: ca.CertPEM})
	return w
}

func (w *world) trusts(bundle []byte) {
	w.Configuration = w.Configuration.DeepCopy()
	w.Configuration.Webhooks[0].ClientConfig.CABundle = bundle
}

// constrained returns a CA that may sign for the names of one domain only.
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

// take executes a step that was computed from an earlier read, as the reconciler does. It
// returns false if the API server would report a conflict. It does so for objects that
// existed at that read; an apply that creates an object overwrites one that another
// replica has created since.
func (w *world) take(step Step, read State) bool {
	w.Helper()
	switch step.Action {
	case ActionCreateCA, ActionWriteBundle, ActionRemoveOldCAs, ActionAnnotate:
		if read.CA != nil && read.CA != w.CA {
			return false
		}
		w.writeCA(step, read.CA)
	case ActionInject:
		if read.Configuration != w.Configuration {
			return false
		}
		w.trusts(read.CA.Data[certs.CAFile])
	case ActionIssue:
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
	case ActionCreateCA:
		ca, err := NewCA(w.now, w.config.CAValidity)
		require.NoError(w, err)
		w.CA = secret(CASecret, map[string][]byte{"tls.crt": ca.CertPEM, "tls.key": ca.KeyPEM, certs.CAFile: append(ca.CertPEM, bundle...)})
	case ActionAnnotate:
		w.CA = old.DeepCopy()
		w.CA.Annotations = progress(&storedCA{trustedSince: step.TrustedSince, servedSince: step.ServedSince})
	case ActionWriteBundle:
		w.CA = old.DeepCopy()
		w.CA.Annotations = progress(&storedCA{})
		w.CA.Data[certs.CAFile] = bundle
	case ActionRemoveOldCAs:
		w.CA = old.DeepCopy()
		w.CA.Data[certs.CAFile] = bundle
	}
}

func must(p *Pair, err error) *Pair {
	if err != nil {
		panic(err)
	}
	return p
}
