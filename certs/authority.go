package certs

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionregistrationac "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// fieldManager owns what the authority writes.
	fieldManager = "isolate-certificates"

	// maxWait is how long the authority goes without a look at its objects: a clock
	// may have been set.
	maxWait = 10 * time.Minute

	// maxSteps are more than lie between any state and the next wait. Whoever needs
	// more has the API server store something else than what was written.
	maxSteps = 20

	// skewed is from which difference on the clocks are reported: what backdate allows for.
	skewed = backdate
)

// selfSigned keeps the webhook's certificate in clusters without cert-manager. It
// reads the three objects, takes the next step, and reads them again: that a step
// failed, or that another replica took it, shows in what is stored.
type selfSigned struct {
	client    kubernetes.Interface
	namespace string
	settings  Settings
	clock     clock.PassiveClock
	// ahead is by how much the API server's clock is ahead of this machine's.
	ahead   func() time.Duration
	events  events.EventRecorder
	metrics *metrics

	blocked string // the obstacle that was last reported
	differs bool   // whether clocks that differ were last reported
}

// Reconcile implements [reconcile.Reconciler].
func (a *selfSigned) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	for range maxSteps {
		state, err := a.read(ctx)
		if err != nil {
			return reconcile.Result{}, fmt.Errorf("reading the webhook's certificate: %w", err)
		}
		now := a.now(ctx, state)
		step := Next(state, now, a.settings)
		a.metrics.observe(state, step)
		a.reportObstacle(ctx, state, step)
		switch step.Action {
		case ActionWait:
			return reconcile.Result{RequeueAfter: max(time.Millisecond, min(step.After, maxWait))}, nil
		case ActionStop:
			return reconcile.Result{RequeueAfter: maxWait}, nil
		default: // A step to take.
		}
		if err := a.take(ctx, step, state, now); err != nil {
			return reconcile.Result{}, fmt.Errorf("renewing the webhook's certificate (%s): %w", step.Action, err)
		}
	}
	return reconcile.Result{}, errRestless
}

func (a *selfSigned) read(ctx context.Context) (State, error) {
	var s State
	var err error
	secrets := a.client.CoreV1().Secrets(a.namespace)
	if s.CA, err = ifFound(secrets.Get(ctx, CASecret, metav1.GetOptions{})); err != nil {
		return s, err
	}
	if s.Serving, err = ifFound(secrets.Get(ctx, ServingSecret, metav1.GetOptions{})); err != nil {
		return s, err
	}
	s.Configuration, err = ifFound(a.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, Configuration, metav1.GetOptions{}))
	return s, err
}

// ifFound takes an object that doesn't exist for none.
func ifFound[T any](object *T, err error) (*T, error) {
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, err
}

// now is the API server's time, as far as this machine can tell: it is by that
// one that certificates are judged.
func (a *selfSigned) now(ctx context.Context, s State) time.Time {
	ahead := a.ahead()
	// Said as soon as there is a Secret that an event can be about.
	if differs := ahead.Abs() > skewed; differs != a.differs && s.CA != nil {
		a.differs = differs
		if differs {
			sentence := saySkewed(ahead)
			log.FromContext(ctx).Error(nil, sentence)
			a.event(s.CA, corev1.EventTypeWarning, reasonSkewed, sentence)
		} else {
			log.FromContext(ctx).Info(logAgreeing)
		}
	}
	return a.clock.Now().Add(ahead)
}

func (a *selfSigned) reportObstacle(ctx context.Context, s State, step Step) {
	if step.Obstacle == a.blocked {
		return
	}
	a.blocked = step.Obstacle
	if a.blocked == "" {
		log.FromContext(ctx).Info(logUnblocked)
		return
	}
	log.FromContext(ctx).Error(nil, a.blocked)
	about := s.Serving
	if about == nil {
		about = s.CA
	}
	a.event(about, corev1.EventTypeWarning, reasonBlocked, a.blocked)
}

// take takes a step other than to wait or to stop.
func (a *selfSigned) take(ctx context.Context, step Step, s State, now time.Time) error {
	switch step.Action {
	case ActionNewCA:
		return a.newCA(ctx, step, s, now)
	case ActionBundle:
		return a.keepCA(ctx, s, step, reasonNewCA, sayBundle(step.Why), stamps(&authority{}))
	case ActionForget:
		return a.keepCA(ctx, s, step, reasonForget, sayForget(), stamps(readAuthority(s.CA, now)))
	case ActionStamp:
		return a.keepCA(ctx, s, step, "", "", stamps(&authority{trustedSince: step.Trusted, servedSince: step.Served}))
	case ActionInject:
		return a.inject(ctx, s)
	case ActionServe:
		return a.serve(ctx, step, s, now)
	default: // ActionWait and ActionStop, which Reconcile has handled.
		return fmt.Errorf("step %s changes nothing", step.Action)
	}
}

func (a *selfSigned) newCA(ctx context.Context, step Step, s State, now time.Time) error {
	ca, err := NewCA(now, a.settings.CAValidity)
	if err != nil {
		return err
	}
	bundle, err := encode(step.Bundle)
	if err != nil {
		return err
	}
	secret := a.secret(CASecret, s.CA).WithAnnotations(stamps(&authority{})).WithData(map[string][]byte{
		corev1.TLSCertKey: ca.CertPEM, corev1.TLSPrivateKeyKey: ca.KeyPEM, CAFile: append(ca.CertPEM, bundle...),
	})
	written, err := a.apply(ctx, secret)
	if err == nil {
		a.report(ctx, written, reasonNewCA, sayNewCA(step.Why, rfc3339(ca.Cert.NotAfter)))
	}
	return err
}

// keepCA writes the authority's Secret without a change to the authority itself.
func (a *selfSigned) keepCA(ctx context.Context, s State, step Step, reason, message string, annotations map[string]string) error {
	bundle := s.CA.Data[CAFile]
	if step.Bundle != nil {
		var err error
		if bundle, err = encode(step.Bundle); err != nil {
			return err
		}
	}
	written, err := a.apply(ctx, a.secret(CASecret, s.CA).WithAnnotations(annotations).WithData(map[string][]byte{
		corev1.TLSCertKey: s.CA.Data[corev1.TLSCertKey], corev1.TLSPrivateKeyKey: s.CA.Data[corev1.TLSPrivateKeyKey], CAFile: bundle,
	}))
	if err == nil && message != "" {
		a.report(ctx, written, reason, message)
	}
	return err
}

func (a *selfSigned) serve(ctx context.Context, step Step, s State, now time.Time) error {
	ca, err := parsePair(s.CA.Data[corev1.TLSCertKey], s.CA.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(now, a.settings.Names, nil, a.settings.ServingValidity)
	if err != nil {
		return err
	}
	written, err := a.apply(ctx, a.secret(ServingSecret, s.Serving).WithData(map[string][]byte{
		corev1.TLSCertKey: leaf.CertPEM, corev1.TLSPrivateKeyKey: leaf.KeyPEM, CAFile: ca.CertPEM,
	}))
	if err == nil {
		a.report(ctx, written, reasonServe, sayServe(step.Why, rfc3339(leaf.Cert.NotAfter)))
	}
	return err
}

func (a *selfSigned) inject(ctx context.Context, s State) error {
	configuration := admissionregistrationac.MutatingWebhookConfiguration(Configuration).WithResourceVersion(s.Configuration.ResourceVersion)
	for i := range s.Configuration.Webhooks {
		configuration.WithWebhooks(admissionregistrationac.MutatingWebhook().WithName(s.Configuration.Webhooks[i].Name).
			WithClientConfig(admissionregistrationac.WebhookClientConfig().WithCABundle(s.CA.Data[CAFile]...)))
	}
	_, err := a.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Apply(ctx, configuration,
		metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err == nil {
		a.report(ctx, s.CA, reasonInject, sayInject())
	}
	return err
}

// secret begins what is applied. A Secret that exists keeps its type, which can't
// be changed, and must be the one that was judged.
func (a *selfSigned) secret(name string, old *corev1.Secret) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(name, a.namespace).WithType(corev1.SecretTypeTLS)
	if old != nil {
		secret.WithType(old.Type).WithResourceVersion(old.ResourceVersion)
	}
	return secret
}

// apply creates or changes a Secret. It applies, because that is the one way to
// create an object for which RBAC can say by what name.
func (a *selfSigned) apply(ctx context.Context, secret *corev1ac.SecretApplyConfiguration) (*corev1.Secret, error) {
	return a.client.CoreV1().Secrets(a.namespace).Apply(ctx, secret, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
}

func (a *selfSigned) report(ctx context.Context, about *corev1.Secret, reason, message string) {
	log.FromContext(ctx).Info(message)
	a.event(about, corev1.EventTypeNormal, reason, message)
}

// event publishes an event on a Secret, if there is one.
func (a *selfSigned) event(about *corev1.Secret, kind, reason, message string) {
	if about != nil {
		a.events.Eventf(about, nil, kind, reason, actionKeep, "%s", message)
	}
}
