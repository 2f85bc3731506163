package certs

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/cert-manager/cert-manager/pkg/util/pki"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
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
	now time.Time
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
	w := &world{T: t, now: start}
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
	leaf, err := ca.Issue(at, settings.Names, nil, servingValidity)
	require.NoError(w, err)
	w.Serving = secret(ServingSecret, map[string][]byte{"tls.crt": leaf.CertPEM, "tls.key": leaf.KeyPEM, CAFile: ca.CertPEM})
	return w
}

func (w *world) trusts(bundle []byte) { w.Configuration.Webhooks[0].ClientConfig.CABundle = bundle }

// take does what the adapter does of a step.
func (w *world) take(step Step) {
	w.Helper()
	switch step.Action {
	case ActionNewCA:
		ca := newCA(w.T, w.now)
		bundle, err := encode(step.Bundle)
		require.NoError(w, err)
		w.CA = secret(CASecret, map[string][]byte{"tls.crt": ca.CertPEM, "tls.key": ca.KeyPEM, CAFile: append(ca.CertPEM, bundle...)})
	case ActionBundle, ActionForget:
		var err error
		w.CA = w.CA.DeepCopy()
		w.CA.Data[CAFile], err = encode(step.Bundle)
		require.NoError(w, err)
	case ActionInject:
		w.trusts(w.CA.Data[CAFile])
	case ActionStamp:
		w.CA = w.CA.DeepCopy()
		w.CA.Annotations = stamps(&authority{trustedSince: step.Trusted, servedSince: step.Served})
	case ActionServe:
		ca, err := parsePair(w.CA.Data["tls.crt"], w.CA.Data["tls.key"])
		require.NoError(w, err)
		w.serves(ca, w.now)
	case ActionWait:
		w.now = w.now.Add(step.After)
	}
}

func TestTheNextStep(t *testing.T) {
	ca, other := newCA(t, start), newCA(t, start)
	for name, c := range map[string]struct {
		change func(w *world)
		action Action
		why    Why
	}{
		"nothing to do":                      {func(*world) {}, ActionWait, ""},
		"a first install":                    {func(w *world) { w.State = State{} }, ActionNewCA, WhyMissing},
		"the authority is gone":              {func(w *world) { w.CA = nil }, ActionNewCA, WhyMissing},
		"the authority can't be read":        {func(w *world) { w.CA.Data["tls.key"] = []byte("x") }, ActionNewCA, WhyDamaged},
		"the authority has expired":          {func(w *world) { w.now = start.Add(caValidity + time.Hour) }, ActionNewCA, WhyExpired},
		"the authority is from tomorrow":     {func(w *world) { w.now = start.Add(-24 * time.Hour) }, ActionNewCA, WhyExpired},
		"two thirds of the authority's time": {func(w *world) { w.now = start.Add(caValidity * 2 / 3) }, ActionNewCA, WhyDue},
		"the authority was exchanged":        {func(w *world) { w.holds(other, ca) }, ActionBundle, WhyDamaged},
		"the list of authorities is gone":    {func(w *world) { delete(w.CA.Data, CAFile) }, ActionBundle, WhyDamaged},
		"the caBundle is empty":              {func(w *world) { w.trusts(nil) }, ActionInject, ""},
		"the caBundle is another":            {func(w *world) { w.trusts(other.CertPEM) }, ActionInject, ""},
		"no certificate":                     {func(w *world) { w.Serving = nil }, ActionServe, WhyMissing},
		"a certificate that can't be read":   {func(w *world) { w.Serving.Data["tls.crt"] = []byte("x") }, ActionServe, WhyDamaged},
		"a certificate of another authority": {func(w *world) { w.serves(other, start) }, ActionServe, WhyOtherCA},
		"a certificate that has expired":     {func(w *world) { w.now = start.Add(servingValidity + time.Hour) }, ActionServe, WhyExpired},
		"two thirds of the certificate's":    {func(w *world) { w.now = start.Add(servingValidity * 2 / 3) }, ActionServe, WhyDue},
		"just before":                        {func(w *world) { w.now = start.Add(servingValidity*2/3 - time.Second) }, ActionWait, ""},
		"another type of Secret":             {func(w *world) { w.Serving.Type = corev1.SecretTypeOpaque }, ActionWait, ""},
		"an immutable Secret":                {func(w *world) { w.CA.Immutable = ptr.To(true) }, ActionStop, ""},
		"cert-manager's Secret":              {func(w *world) { w.Serving.Annotations["cert-manager.io/certificate-name"] = "x" }, ActionStop, ""},
		"cert-manager's caBundle": {func(w *world) {
			w.Configuration.Annotations = map[string]string{"cert-manager.io/inject-ca-from": "a/b"}
		}, ActionStop, ""},
		"no webhook configuration": {func(w *world) { w.Configuration = nil }, ActionWait, ""},
		"a stamp from the future":  {func(w *world) { w.CA.Annotations[TrustedSinceKey] = start.Add(24 * time.Hour).Format(time.RFC3339) }, ActionStamp, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, ca)
			c.change(w)
			step := Next(w.State, w.now, settings)
			require.Equal(t, c.action, step.Action)
			require.Equal(t, c.why, step.Why)
		})
	}
}

// replica is a replica of the webhook, or the trust of an API server: what it goes
// by is what was stored some time ago, at most propagation.
type version struct {
	at    time.Time
	value []byte
}

// TestARotationNeverHasAReplicaServeWhatAnAPIServerDoesNotTrust takes every step
// from every damage, and looks at all that replicas and API servers may go by at
// each moment: everything stored within the propagation delay, and what was before.
func TestARotationNeverHasAReplicaServeWhatAnAPIServerDoesNotTrust(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"the authority is due": func(w *world) {
			w.now = start.Add(caValidity * 2 / 3)
			w.serves(must(parsePair(w.CA.Data["tls.crt"], w.CA.Data["tls.key"])), w.now)
		},
		"the authority is gone":      func(w *world) { w.CA = nil },
		"the authority is corrupt":   func(w *world) { w.CA.Data["tls.crt"] = nil },
		"both Secrets are gone":      func(w *world) { w.CA, w.Serving = nil, nil },
		"the certificate is gone":    func(w *world) { w.Serving = nil },
		"the list of CAs is gone":    func(w *world) { w.CA.Data[CAFile] = nil },
		"the authority is another's": func(w *world) { o := newCA(w.T, start); w.holds(o, o) },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, newCA(t, start))
			served := []version{{value: w.Serving.Data["tls.crt"]}}
			trusted := []version{{value: w.CA.Data[CAFile]}}
			damage(w)
			for range 40 {
				w.remember(&served, w.Serving, "tls.crt")
				trusted = note(trusted, w.now, w.Configuration.Webhooks[0].ClientConfig.CABundle)
				w.mustTrust(served, trusted)
				w.take(Next(w.State, w.now, settings))
			}
			ca := readAuthority(w.CA, w.now)
			require.Len(t, ca.bundle, 1, "the old authority is gone")
			require.True(t, ca.signed(readServing(w.Serving).Cert))
		})
	}
}

func must(p *Pair, err error) *Pair {
	if err != nil {
		panic(err)
	}
	return p
}

func (w *world) remember(versions *[]version, secret *corev1.Secret, key string) {
	if secret != nil {
		*versions = note(*versions, w.now, secret.Data[key])
	}
}

func note(versions []version, at time.Time, value []byte) []version {
	if last := versions[len(versions)-1]; slices.Equal(last.value, value) {
		return versions
	}
	return append(versions, version{at, value})
}

// inUse are the versions that someone may go by: the last one that has had its
// time to reach everyone, and those after it.
func inUse(versions []version, now time.Time) []version {
	first := 0
	for i := range versions {
		if !versions[i].at.Add(propagation).After(now) {
			first = i
		}
	}
	return versions[first:]
}

func (w *world) mustTrust(served, trusted []version) {
	w.Helper()
	for _, bundle := range inUse(trusted, w.now) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(bundle.value)
		for _, file := range inUse(served, w.now) {
			leaf, err := pki.DecodeX509CertificateBytes(file.value)
			require.NoError(w, err)
			if w.now.After(leaf.NotAfter) {
				continue
			}
			_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: w.now})
			require.NoError(w, err, "at %s", w.now)
		}
	}
}
