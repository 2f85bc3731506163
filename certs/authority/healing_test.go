package authority

import (
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/certs"
)

// All combinations of damage.
func TestEveryCombinationOfDamageIsRepaired(t *testing.T) {
	ca, other := newCA(t, start), newCA(t, start)
	expired := newCA(t, start.Add(-2*caValidity))
	longAgo := rfc3339(start.Add(-caValidity))
	damages := []func(w *world){
		func(w *world) { w.holds(other, other) },
		func(w *world) { w.CA.Data["tls.key"] = expired.KeyPEM },
		func(w *world) { w.CA.Data[certs.CAFile] = pem(t, expired, other) },
		func(w *world) { w.CA.Annotations[TrustedSinceKey], w.CA.Annotations[ServedSinceKey] = longAgo, longAgo },
		func(w *world) { w.CA = nil },
		func(w *world) { w.serves(other, start) },
		func(w *world) { w.Serving = nil },
		func(w *world) { w.trusts(other.CertPEM) },
		func(w *world) { w.Configuration = nil },
	}
	for set := range 1 << len(damages) {
		w := rotated(t, ca)
		for i, damage := range damages {
			if set&(1<<i) != 0 {
				damage(w)
			}
		}
		steps := 0
		for end := w.now.Add(3 * propagation); w.now.Before(end); {
			step := Next(w.State, w.now, w.config)
			require.True(t, w.take(step, w.State))
			w.now = w.now.Add(min(step.After, propagation))
			if steps++; step.Action == ActionWait {
				steps = 0
			}
			require.Less(t, steps, maxSteps, "damages %b", set)
		}
		w.mustBeComplete()
	}
}
