package certs

import (
	"crypto/x509"
	"slices"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
)

// Settings are how the self-signed authority works.
type Settings struct {
	// Names are the host names of the serving certificate.
	Names []string

	// CAValidity and ServingValidity are how long a new certificate is valid. Each is
	// replaced when two thirds of that have passed.
	CAValidity, ServingValidity time.Duration

	// Propagation is how long a change takes at most to reach every API server, and
	// every replica of the webhook through its mounted Secret.
	Propagation time.Duration
}

// Action is what the self-signed authority does next.
type Action string

// The actions, in the order in which a rotation of the authority takes them.
const (
	// ActionNewCA makes a new authority, and has it and those in Bundle trusted.
	ActionNewCA Action = "NewCA"

	// ActionBundle writes the bundle of the authority's Secret anew, as Bundle.
	ActionBundle Action = "Bundle"

	// ActionInject brings the bundle into the webhook configuration.
	ActionInject Action = "Inject"

	// ActionStamp notes how far the rotation has come, as Trusted and Served.
	ActionStamp Action = "Stamp"

	// ActionServe makes a new serving certificate.
	ActionServe Action = "Serve"

	// ActionForget has only this authority trusted, no other any more.
	ActionForget Action = "Forget"

	// ActionWait does nothing before After has passed or an object changes.
	ActionWait Action = "Wait"

	// ActionStop does nothing before someone has done what Obstacle says.
	ActionStop Action = "Stop"
)

// Step is an action, why it is taken, and what it needs.
type Step struct {
	Action Action
	Why    Why

	// Bundle is for ActionNewCA, ActionBundle and ActionForget.
	Bundle []*x509.Certificate

	// Trusted and Served are for ActionStamp; zero where it isn't so.
	Trusted, Served time.Time

	// After is for ActionWait.
	After time.Duration

	// Obstacle is for ActionStop.
	Obstacle string
}

// Next is the next step towards a webhook that is served with a valid certificate
// of a trusted authority. Everything is derived from what is stored, so it may be
// interrupted anywhere, for however long, and be continued by anyone.
//
// A rotation of the authority loses no admission, because:
//  1. The new authority is trusted before anything is signed by it: the bundle has
//     it besides the old one for Propagation, in which API servers take it over.
//  2. Only then is a serving certificate signed by it.
//  3. The old one stays trusted for Propagation after that, in which the replicas
//     take the new certificate over.
//
// Where no replica can be serving with anything that is trusted, nothing is waited for.
func Next(s State, now time.Time, settings Settings) Step {
	if obstacle := obstacle(s); obstacle != "" {
		return Step{Action: ActionStop, Obstacle: obstacle}
	}
	ca := readAuthority(s.CA, now)
	switch {
	case ca == nil:
		return Step{Action: ActionNewCA, Why: whyNoCA(s, now), Bundle: found(s, nil, now)}
	case !now.Before(renewal(ca.Cert)):
		return Step{Action: ActionNewCA, Why: WhyDue, Bundle: found(s, ca, now)}
	case !ca.leads():
		others := slices.DeleteFunc(found(s, ca, now), ca.Cert.Equal)
		return Step{Action: ActionBundle, Why: WhyDamaged, Bundle: append([]*x509.Certificate{ca.Cert}, others...)}
	}
	serving := readServing(s.Serving)
	if signers := unlisted(s, ca, serving, now); len(signers) > 0 {
		return Step{Action: ActionBundle, Why: WhyUnlisted, Bundle: slices.Concat(ca.bundle, signers)}
	}
	if step := trust(s, ca, serving, now); step != nil {
		return *step
	}
	if why := whyServe(s, ca, serving, now, settings); why != "" {
		return serve(s, ca, serving, why, now, settings)
	}
	return settle(ca, serving, now, settings)
}

// unlisted are the authorities that API servers trust and that may have signed what
// replicas serve with, and that the bundle lacks: the authority's Secret was
// exchanged as a whole, or another kept the certificate until now.
func unlisted(s State, ca *authority, serving *Pair, now time.Time) []*x509.Certificate {
	signer := func(c *x509.Certificate) bool {
		// Where nobody knows what is served, each may be the one.
		return c.IsCA && valid(c, now) && (serving == nil || serving.Cert.CheckSignatureFrom(c) == nil)
	}
	if s.Configuration == nil || serving != nil && slices.ContainsFunc(ca.bundle, signer) {
		return nil
	}
	var unlisted []*x509.Certificate
	for i := range s.Configuration.Webhooks {
		for _, trusted := range certificates(s.Configuration.Webhooks[i].ClientConfig.CABundle) {
			if signer(trusted) && !slices.ContainsFunc(slices.Concat(ca.bundle, unlisted), trusted.Equal) {
				unlisted = append(unlisted, trusted)
			}
		}
	}
	return unlisted
}

// trust has the API server trust the bundle, and notes since when it does.
func trust(s State, ca *authority, serving *Pair, now time.Time) *Step {
	if s.Configuration == nil {
		return nil // Nobody calls the webhook.
	}
	if !injected(s.Configuration, s.CA.Data[CAFile]) {
		if !ca.trustedSince.IsZero() && (serving == nil || !ca.signed(serving.Cert)) {
			// Someone took the bundle away before its time had passed: begin again.
			return &Step{Action: ActionStamp}
		}
		return &Step{Action: ActionInject}
	}
	if ca.trustedSince.IsZero() {
		return &Step{Action: ActionStamp, Trusted: now, Served: ca.servedSince}
	}
	return nil
}

// serve makes a new serving certificate as soon as that loses nothing.
func serve(s State, ca *authority, serving *Pair, why Why, now time.Time, settings Settings) Step {
	trusted := ca.trustedSince.Add(settings.Propagation)
	useless := serving != nil && !valid(serving.Cert, now)
	switch {
	case s.Configuration != nil && ca.others() && !useless && now.Before(trusted):
		return Step{Action: ActionWait, After: trusted.Sub(now)}
	case !ca.servedSince.IsZero() && (serving == nil || !ca.signed(serving.Cert)):
		return Step{Action: ActionStamp, Trusted: ca.trustedSince}
	}
	return Step{Action: ActionServe, Why: why}
}

// settle ends a rotation, and waits for the next one.
func settle(ca *authority, serving *Pair, now time.Time, settings Settings) Step {
	if ca.others() {
		if ca.servedSince.IsZero() {
			return Step{Action: ActionStamp, Trusted: ca.trustedSince, Served: now}
		}
		if remaining := ca.servedSince.Add(settings.Propagation).Sub(now); remaining > 0 {
			return Step{Action: ActionWait, After: remaining}
		}
		return Step{Action: ActionForget, Bundle: []*x509.Certificate{ca.Cert}}
	}
	return Step{Action: ActionWait, After: min(renewal(ca.Cert).Sub(now), renewal(serving.Cert).Sub(now))}
}

// obstacle is what keeps isolate from its work, and what to do about it.
func obstacle(s State) string {
	for _, secret := range []*corev1.Secret{s.CA, s.Serving} {
		switch {
		case secret == nil:
		case secret.Annotations[cmapi.CertificateNameKey] != "":
			return sayCertManagers(secret, secret.Annotations[cmapi.CertificateNameKey])
		case secret.Immutable != nil && *secret.Immutable:
			return sayImmutable(secret)
		}
	}
	if s.Configuration == nil {
		return ""
	}
	for _, key := range []string{cmapi.WantInjectAnnotation, cmapi.WantInjectFromSecretAnnotation, cmapi.WantInjectAPIServerCAAnnotation} {
		if s.Configuration.Annotations[key] != "" {
			return sayInjected(s.Configuration, key)
		}
	}
	return ""
}

func whyNoCA(s State, now time.Time) Why {
	if s.CA == nil {
		return WhyMissing
	}
	pair, err := parsePair(s.CA.Data[corev1.TLSCertKey], s.CA.Data[corev1.TLSPrivateKeyKey])
	if err == nil && !valid(pair.Cert, now) {
		return WhyExpired
	}
	return WhyDamaged
}

// whyServe is why the webhook needs another certificate; empty where it doesn't.
func whyServe(s State, ca *authority, serving *Pair, now time.Time, settings Settings) Why {
	switch {
	case s.Serving == nil:
		return WhyMissing
	case serving == nil || !isP256(serving.Cert):
		return WhyDamaged
	case !valid(serving.Cert, now):
		return WhyExpired
	case !ca.signed(serving.Cert):
		return WhyOtherCA
	case !covers(serving.Cert, settings.Names):
		return WhyOtherNames
	case !ca.vouches(serving.Cert, now):
		return WhyDamaged
	case !now.Before(renewal(serving.Cert)):
		return WhyDue
	}
	return ""
}

func covers(c *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return c.VerifyHostname(name) != nil })
}
