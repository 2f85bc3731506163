package certs

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cert-manager/cert-manager/pkg/util/pki"
	"github.com/stretchr/testify/require"
)

// version is what was stored from some time on. A replica of the webhook, or an API
// server, goes by what was stored some time ago, at most the propagation delay.
type version struct {
	at    time.Time
	value []byte
}

func note(versions []version, at time.Time, value []byte) []version {
	if n := len(versions); n > 0 && slices.Equal(versions[n-1].value, value) {
		return versions
	}
	return append(versions, version{at, value})
}

// note remembers what is stored now.
func (w *world) note() {
	if w.Serving != nil {
		w.served = note(w.served, w.now, w.Serving.Data["tls.crt"])
	}
	if w.Configuration != nil {
		w.trusted = note(w.trusted, w.now, w.Configuration.Webhooks[0].ClientConfig.CABundle)
	}
}

// inUse are the versions that someone may go by: the last one that has had its
// time to reach everyone, and those after it.
func (w *world) inUse(versions []version) []version {
	first := 0
	for i := range versions {
		if !versions[i].at.Add(w.settings.Propagation).After(w.now) {
			first = i
		}
	}
	return versions[first:]
}

// mustTrust looks at all that replicas and API servers may go by now.
func (w *world) mustTrust() {
	w.Helper()
	for _, bundle := range w.inUse(w.trusted) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(bundle.value)
		for _, leaf := range w.inUseLeaves() {
			if w.now.After(leaf.NotAfter) {
				continue // Nobody trusted it anyway.
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

// mustBeSettled requires that one authority alone is trusted, and signed what is served.
func (w *world) mustBeSettled() {
	w.Helper()
	ca := readAuthority(w.CA, w.now)
	require.NotNil(w, ca)
	require.Len(w, ca.bundle, 1, "the old authority is gone")
	require.Empty(w, whyServe(w.State, ca, readServing(w.Serving), w.now, w.settings))
	if w.Configuration != nil {
		require.True(w, injected(w.Configuration, w.CA.Data[CAFile]))
	}
}

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
		"both are another's":         func(w *world) { o := newCA(w.T, start); w.holds(o, o).Serving = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, newCA(t, start))
			w.note()
			damage(w)
			w.note()
			for end := w.now.Add(3 * propagation); w.now.Before(end); {
				w.mustTrust()
				step := Next(w.State, w.now, w.settings)
				w.take(step, w.State)
				w.note()
				w.now = w.now.Add(min(step.After, propagation))
			}
			w.mustBeSettled()
		})
	}
}

// Validities are short, steps come late, as after a change of leader, and each
// change takes as long as it may to reach everyone.
func TestShortLivesLoseNothing(t *testing.T) {
	const late = propagation / 10
	for name, s := range map[string]Settings{
		"an hour":                       {CAValidity: time.Hour, ServingValidity: time.Hour},
		"as short as flags allow":       {CAValidity: 9 * propagation, ServingValidity: 9 * propagation},
		"an authority of a bit more":    {CAValidity: 14 * propagation, ServingValidity: 9 * propagation},
		"an authority for many of them": {CAValidity: 30 * propagation, ServingValidity: 9 * propagation},
	} {
		t.Run(name, func(t *testing.T) {
			s.Names, s.Propagation = settings.Names, propagation
			w := settled(t, newCA(t, start))
			w.settings = s
			ca, err := NewCA(start, s.CAValidity)
			require.NoError(t, err)
			w.holds(ca, ca).serves(ca, start).trusts(w.CA.Data[CAFile])
			w.note()
			for w.now.Before(start.Add(2 * s.CAValidity)) {
				w.mustTrust()
				for _, leaf := range w.inUseLeaves() {
					require.False(t, w.now.After(leaf.NotAfter), "a replica's certificate has ended at %s", w.now)
				}
				step := Next(w.State, w.now, w.settings)
				if step.Action == ActionWait {
					w.now = w.now.Add(min(step.After, late))
					continue
				}
				w.take(step, w.State)
				w.note()
				w.now = w.now.Add(late)
			}
		})
	}
}

// Two leaders, each of whom believes to be the only one, take their steps in any
// order, by what they have read some steps ago. At a first install nobody has been
// served yet, and nothing is waited for.
func TestTwoLeadersAtOnceLoseNothing(t *testing.T) {
	const firstInstall = "a first install"
	for name, damage := range map[string]func(w *world){
		firstInstall:              func(w *world) { w.CA, w.Serving, w.served = nil, nil, nil; w.trusts(nil) },
		"the authority is gone":   func(w *world) { w.CA = nil },
		"both Secrets are gone":   func(w *world) { w.CA, w.Serving = nil, nil },
		"the certificate is gone": func(w *world) { w.Serving = nil },
	} {
		for seed := range uint64(10) {
			t.Run(fmt.Sprintf("%s, order %d", name, seed), func(t *testing.T) {
				w := settled(t, newCA(t, start))
				w.note()
				damage(w)
				w.note()
				order := rand.New(rand.NewPCG(seed, 0))
				var leaders [2]*State // what each has read and not acted on
				for end := w.now.Add(6 * propagation); w.now.Before(end); {
					leader := order.IntN(len(leaders))
					if leaders[leader] == nil {
						read := w.State
						leaders[leader] = &read
						continue
					}
					step := Next(*leaders[leader], w.now, w.settings)
					w.take(step, *leaders[leader])
					w.note()
					leaders[leader] = nil
					// Time passes once nobody has anything to do at this moment.
					if step.Action == ActionWait && leaders == [2]*State{} {
						w.now = w.now.Add(min(step.After, propagation))
					}
					if name != firstInstall {
						w.mustTrust()
					}
				}
				w.mustBeSettled()
			})
		}
	}
}
