package authority

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cert-manager/cert-manager/pkg/util/pki"
	"github.com/stretchr/testify/require"

	"isolate.example.io/certs"
)

// version is what was stored at a time. Replicas of the webhook and API servers may still
// use the version before it, for at most the propagation delay.
type version struct {
	at    time.Time
	value []byte
}

func appendVersion(versions []version, at time.Time, value []byte) []version {
	if n := len(versions); n > 0 && slices.Equal(versions[n-1].value, value) {
		return versions
	}
	return append(versions, version{at, value})
}

// record appends the stored versions to the history.
func (w *world) record() {
	if w.Serving != nil {
		w.served = appendVersion(w.served, w.now, w.Serving.Data["tls.crt"])
	}
	if w.Configuration != nil {
		w.trusted = appendVersion(w.trusted, w.now, w.Configuration.Webhooks[0].ClientConfig.CABundle)
	}
}

// inUse returns the versions that may be in use: the last one that has had time to
// propagate, and all later ones.
func (w *world) inUse(versions []version) []version {
	first := 0
	for i := range versions {
		if !versions[i].at.Add(w.config.Propagation).After(w.now) {
			first = i
		}
	}
	return versions[first:]
}

// mustTrust requires that every bundle in use trusts every certificate in use.
func (w *world) mustTrust() {
	w.Helper()
	for _, bundle := range w.inUse(w.trusted) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(bundle.value)
		for _, leaf := range w.inUseLeaves() {
			if w.now.After(leaf.NotAfter) {
				continue // It was not trusted before either.
			}
			_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: w.now})
			require.NoError(w, err, "at %s", w.now)
		}
	}
}

func (w *world) inUseLeaves() []*x509.Certificate {
	w.Helper()
	var leaves []*x509.Certificate
	for _, file := range w.inUse(w.served) {
		leaf, err := pki.DecodeX509CertificateBytes(file.value)
		require.NoError(w, err)
		leaves = append(leaves, leaf)
	}
	return leaves
}

// mustBeComplete requires a single trusted CA that issued the serving certificate.
func (w *world) mustBeComplete() {
	w.Helper()
	ca := readCA(w.CA, w.now)
	require.NotNil(w, ca)
	require.Len(w, ca.bundle, 1, "the old CA is gone")
	require.Empty(w, causeToIssue(w.State, ca, readServing(w.Serving), w.now, w.config))
	if w.Configuration != nil {
		require.True(w, injected(w.State, w.CA.Data[certs.CAFile]))
	}
}

func TestNoReplicaServesAnUntrustedCertificateDuringARotation(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"the CA is due": func(w *world) {
			w.now = start.Add(caValidity * 2 / 3)
			w.serves(must(parsePair(w.CA.Data["tls.crt"], w.CA.Data["tls.key"])), w.now)
		},
		"the CA is gone":             func(w *world) { w.CA = nil },
		"the CA is corrupt":          func(w *world) { w.CA.Data["tls.crt"] = nil },
		"both Secrets are gone":      func(w *world) { w.CA, w.Serving = nil, nil },
		"the certificate is gone":    func(w *world) { w.Serving = nil },
		"the bundle is gone":         func(w *world) { w.CA.Data[certs.CAFile] = nil },
		"the CA was replaced":        func(w *world) { o := newCA(w.T, start); w.holds(o, o) },
		"both Secrets were replaced": func(w *world) { o := newCA(w.T, start); w.holds(o, o).Serving = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := rotated(t, newCA(t, start))
			w.record()
			damage(w)
			w.record()
			for end := w.now.Add(3 * propagation); w.now.Before(end); {
				w.mustTrust()
				step := Next(w.State, w.now, w.config)
				w.take(step, w.State)
				w.record()
				w.now = w.now.Add(min(step.After, propagation))
			}
			w.mustBeComplete()
		})
	}
}

// Validities are short, steps are late, as after a change of leader, and each change
// takes the whole propagation delay to propagate.
func TestShortValiditiesLoseNoAdmission(t *testing.T) {
	const late = propagation / 10
	for name, s := range map[string]Config{
		"an hour":                           {CAValidity: time.Hour, ServingValidity: time.Hour},
		"the shortest that the flags allow": {CAValidity: 9 * propagation, ServingValidity: 9 * propagation},
		"a CA valid for slightly longer":    {CAValidity: 14 * propagation, ServingValidity: 9 * propagation},
		"a CA valid for many certificates":  {CAValidity: 30 * propagation, ServingValidity: 9 * propagation},
	} {
		t.Run(name, func(t *testing.T) {
			s.DNSNames, s.Propagation = config.DNSNames, propagation
			w := rotated(t, newCA(t, start))
			w.config = s
			ca, err := NewCA(start, s.CAValidity)
			require.NoError(t, err)
			w.holds(ca, ca).serves(ca, start).trusts(w.CA.Data[certs.CAFile])
			w.record()
			for w.now.Before(start.Add(2 * s.CAValidity)) {
				w.mustTrust()
				for _, leaf := range w.inUseLeaves() {
					require.False(t, w.now.After(leaf.NotAfter), "a replica serves an expired certificate at %s", w.now)
				}
				step := Next(w.State, w.now, w.config)
				if step.Action == ActionWait {
					w.now = w.now.Add(min(step.After, late))
					continue
				}
				w.take(step, w.State)
				w.record()
				w.now = w.now.Add(late)
			}
		})
	}
}

// Two replicas that both believe they lead execute their steps in any order, computed from
// objects that they read some steps ago. In a first install no replica serves yet, so there
// is nothing to wait for.
func TestTwoLeadersLoseNoAdmission(t *testing.T) {
	const firstInstall = "a first install"
	for name, damage := range map[string]func(w *world){
		firstInstall:              func(w *world) { w.CA, w.Serving, w.served = nil, nil, nil; w.trusts(nil) },
		"the CA is gone":          func(w *world) { w.CA = nil },
		"both Secrets are gone":   func(w *world) { w.CA, w.Serving = nil, nil },
		"the certificate is gone": func(w *world) { w.Serving = nil },
	} {
		for seed := range uint64(10) {
			t.Run(fmt.Sprintf("%s, order %d", name, seed), func(t *testing.T) {
				w := rotated(t, newCA(t, start))
				w.record()
				damage(w)
				w.record()
				order := rand.New(rand.NewPCG(seed, 0))
				var leaders [2]*State // what each has read and not acted on yet
				for end := w.now.Add(6 * propagation); w.now.Before(end); {
					leader := order.IntN(len(leaders))
					if leaders[leader] == nil {
						read := w.State
						leaders[leader] = &read
						continue
					}
					step := Next(*leaders[leader], w.now, w.config)
					w.take(step, *leaders[leader])
					w.record()
					leaders[leader] = nil
					// Time passes when neither has a step to take.
					if step.Action == ActionWait && leaders == [2]*State{} {
						w.now = w.now.Add(min(step.After, propagation))
					}
					if name != firstInstall {
						w.mustTrust()
					}
				}
				w.mustBeComplete()
			})
		}
	}
}
