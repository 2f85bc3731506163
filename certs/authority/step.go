package authority

import (
	"crypto/x509"
	"slices"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/certs"
)

// Config configures the authority.
type Config struct {
	// DNSNames are the host names of the serving certificate.
	DNSNames []string

	// CAValidity and ServingValidity are how long a new certificate is valid. Each is
	// replaced when two thirds of that have passed.
	CAValidity, ServingValidity time.Duration

	// Propagation bounds how long a change takes to reach every API server, and every
	// replica of the webhook through its mounted Secret.
	Propagation time.Duration
}

// Action is what the authority does next.
type Action string

// The actions, in the order in which a rotation of the CA takes them.
const (
	// ActionCreateCA creates a CA, and a bundle of it and those in Bundle.
	ActionCreateCA Action = "CreateCA"

	// ActionWriteBundle replaces the bundle in the CA's Secret by Bundle.
	ActionWriteBundle Action = "WriteBundle"

	// ActionInject copies the bundle to the webhook configurations.
	ActionInject Action = "Inject"

	// ActionAnnotate records the progress of the rotation, TrustedSince and ServedSince.
	ActionAnnotate Action = "Annotate"

	// ActionIssue issues a serving certificate.
	ActionIssue Action = "Issue"

	// ActionRemoveOldCAs reduces the bundle to the current CA.
	ActionRemoveOldCAs Action = "RemoveOldCAs"

	// ActionWait does nothing until After has passed or an object changes.
	ActionWait Action = "Wait"

	// ActionBlocked does nothing until somebody resolves Blocker.
	ActionBlocked Action = "Blocked"
)

// Step is an action, its cause, and its parameters.
type Step struct {
	Action Action
	Cause  Cause

	// Bundle is for ActionCreateCA, ActionWriteBundle and ActionRemoveOldCAs.
	Bundle []*x509.Certificate

	// TrustedSince and ServedSince are for ActionAnnotate; zero if unset.
	TrustedSince, ServedSince time.Time

	// After is for ActionWait.
	After time.Duration

	// Blocker is for ActionBlocked: what prevents progress, and what to do about it.
	Blocker string
}

// Next returns the next step towards a valid serving certificate that a trusted CA has issued.
// It derives everything from the stored objects, so a rotation can stop at any step, for
// however long, and another replica can continue it.
//
// No admission fails during a rotation of the CA, because:
//  1. The new CA is trusted before it issues anything: the bundle has it and the old CA for
//     the time Propagation, so that every API server has loaded the bundle.
//  2. Only then does the new CA issue a serving certificate.
//  3. The old CA stays in the bundle for the same time after that, so that every replica has
//     loaded the new certificate.
//
// If no replica can be serving a trusted certificate, there is nothing to wait for.
func Next(s State, now time.Time, config Config) Step {
	if blocker := blockedBy(s); blocker != "" {
		return Step{Action: ActionBlocked, Blocker: blocker}
	}
	ca := readCA(s.CA, now)
	switch {
	case ca == nil:
		return Step{Action: ActionCreateCA, Cause: causeNoCA(s, now), Bundle: knownCAs(s, nil, now)}
	case !now.Before(renewal(ca.Cert)):
		return Step{Action: ActionCreateCA, Cause: CauseDue, Bundle: knownCAs(s, ca, now)}
	case !ca.isFirst():
		others := slices.DeleteFunc(knownCAs(s, ca, now), ca.Cert.Equal)
		return Step{Action: ActionWriteBundle, Cause: CauseDamaged, Bundle: append([]*x509.Certificate{ca.Cert}, others...)}
	}
	serving := readServing(s.Serving)
	if issuers := unlisted(s, ca, serving, now); len(issuers) > 0 {
		return Step{Action: ActionWriteBundle, Cause: CauseUnlisted, Bundle: slices.Concat(ca.bundle, issuers)}
	}
	if step := trust(s, ca, serving, now); step != nil {
		return *step
	}
	if cause := causeToIssue(s, ca, serving, now, config); cause != "" {
		return issueWhenTrusted(s, ca, serving, cause, now, config)
	}
	return finish(ca, serving, now, config)
}

// unlisted returns CAs that API servers trust and that the bundle lacks, but that may have
// issued the certificates of replicas: somebody replaced the whole Secret of the CA, or
// something else has managed the certificate until now.
func unlisted(s State, ca *storedCA, serving *Pair, now time.Time) []*x509.Certificate {
	issuer := func(c *x509.Certificate) bool {
		// Without a serving certificate, each CA may be the issuer.
		return c.IsCA && valid(c, now) && (serving == nil || serving.Cert.CheckSignatureFrom(c) == nil)
	}
	if !s.called() || serving != nil && slices.ContainsFunc(ca.bundle, issuer) {
		return nil
	}
	var unlisted []*x509.Certificate
	for _, bundle := range s.caBundles() {
		for _, trusted := range certificates(bundle) {
			if issuer(trusted) && !slices.ContainsFunc(slices.Concat(ca.bundle, unlisted), trusted.Equal) {
				unlisted = append(unlisted, trusted)
			}
		}
	}
	return unlisted
}

// trust returns the step by which API servers come to trust the bundle: it is injected into the
// webhook configurations, and then the time is recorded. It returns nil if both are done, or no
// configuration calls the webhook.
func trust(s State, ca *storedCA, serving *Pair, now time.Time) *Step {
	if !s.called() {
		return nil // No configuration calls the webhook.
	}
	if !injected(s, s.CA.Data[certs.CAFile]) {
		if !ca.trustedSince.IsZero() && (serving == nil || !ca.issued(serving.Cert)) {
			// Somebody removed the bundle before every API server had loaded it: start over.
			return &Step{Action: ActionAnnotate}
		}
		return &Step{Action: ActionInject}
	}
	if ca.trustedSince.IsZero() {
		return &Step{Action: ActionAnnotate, TrustedSince: now, ServedSince: ca.servedSince}
	}
	return nil
}

// issueWhenTrusted returns the step that issues a serving certificate, or the one to take before,
// so that no admission fails.
func issueWhenTrusted(s State, ca *storedCA, serving *Pair, cause Cause, now time.Time, config Config) Step {
	trusted := ca.trustedSince.Add(config.Propagation)
	useless := serving != nil && !valid(serving.Cert, now)
	switch {
	case s.called() && ca.hasOthers() && !useless && now.Before(trusted):
		return Step{Action: ActionWait, After: trusted.Sub(now)}
	case !ca.servedSince.IsZero() && (serving == nil || !ca.issued(serving.Cert)):
		return Step{Action: ActionAnnotate, TrustedSince: ca.trustedSince}
	}
	return Step{Action: ActionIssue, Cause: cause}
}

// finish returns the next step once the serving certificate is up to date: to remove the old
// CAs, or to wait for the next renewal.
func finish(ca *storedCA, serving *Pair, now time.Time, config Config) Step {
	if ca.hasOthers() {
		if ca.servedSince.IsZero() {
			return Step{Action: ActionAnnotate, TrustedSince: ca.trustedSince, ServedSince: now}
		}
		if remaining := ca.servedSince.Add(config.Propagation).Sub(now); remaining > 0 {
			return Step{Action: ActionWait, After: remaining}
		}
		return Step{Action: ActionRemoveOldCAs, Bundle: []*x509.Certificate{ca.Cert}}
	}
	return Step{Action: ActionWait, After: min(renewal(ca.Cert).Sub(now), renewal(serving.Cert).Sub(now))}
}

// blockedBy returns what prevents isolate from managing the certificate, and what to
// do about it; empty if nothing does.
func blockedBy(s State) string {
	for _, secret := range []*corev1.Secret{s.CA, s.Serving} {
		switch {
		case secret == nil:
		case secret.Annotations[cmapi.CertificateNameKey] != "":
			return messageOwnedByCertManager(secret, secret.Annotations[cmapi.CertificateNameKey])
		case secret.Immutable != nil && *secret.Immutable:
			return messageImmutable(secret)
		}
	}
	for _, key := range []string{cmapi.WantInjectAnnotation, cmapi.WantInjectFromSecretAnnotation, cmapi.WantInjectAPIServerCAAnnotation} {
		switch {
		case s.Configuration != nil && s.Configuration.Annotations[key] != "":
			return messageInjectedByCertManager("MutatingWebhookConfiguration", key)
		case s.Validating != nil && s.Validating.Annotations[key] != "":
			return messageInjectedByCertManager("ValidatingWebhookConfiguration", key)
		}
	}
	return ""
}

// causeNoCA returns why a new CA is needed.
func causeNoCA(s State, now time.Time) Cause {
	if s.CA == nil {
		return CauseMissing
	}
	pair, err := parsePair(s.CA.Data[corev1.TLSCertKey], s.CA.Data[corev1.TLSPrivateKeyKey])
	if err == nil && !valid(pair.Cert, now) {
		return CauseExpired
	}
	return CauseDamaged
}

// causeToIssue returns why the webhook needs a new certificate; empty if it doesn't.
func causeToIssue(s State, ca *storedCA, serving *Pair, now time.Time, config Config) Cause {
	switch {
	case s.Serving == nil:
		return CauseMissing
	case serving == nil || !isP256(serving.Cert):
		return CauseDamaged
	case !valid(serving.Cert, now):
		return CauseExpired
	case !ca.issued(serving.Cert):
		return CauseOtherCA
	case !covers(serving.Cert, config.DNSNames):
		return CauseOtherNames
	case !ca.verifies(serving.Cert, now):
		return CauseDamaged
	case !now.Before(renewal(serving.Cert)):
		return CauseDue
	}
	return ""
}

func covers(c *x509.Certificate, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return c.VerifyHostname(name) != nil })
}
