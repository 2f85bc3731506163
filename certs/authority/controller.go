package authority

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// maxWait bounds the time between reconciles, because a clock may have been set.
	maxWait = 10 * time.Minute

	// maxSteps exceeds the longest path to a wait. Hitting it means that something
	// else rewrites what is stored.
	maxSteps = 20

	// skewTolerance is the largest clock skew that is not reported. Certificates are
	// backdated by as much.
	skewTolerance = backdate
)

// reconciler manages the webhook's certificate. It reads the stored objects, takes the
// next step, and reads them again: they show whether a step failed, or
// another replica took it.
type reconciler struct {
	client    kubernetes.Interface
	namespace string
	config    Config
	clock     clock.PassiveClock
	ahead     func() time.Duration
	publish   func(context.Context, Event)
	metrics   *metrics

	reportedBlocker string
	reportedSkew    bool
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	for range maxSteps {
		state, err := r.read(ctx)
		if err != nil {
			return reconcile.Result{}, fmt.Errorf("reading the webhook's certificate: %w", err)
		}
		now := r.now(ctx, state)
		step := Next(state, now, r.config)
		r.metrics.observe(state, step)
		r.reportBlocker(ctx, state, step)
		switch step.Action {
		case ActionWait:
			return reconcile.Result{RequeueAfter: max(time.Millisecond, min(step.After, maxWait))}, nil
		case ActionBlocked:
			return reconcile.Result{RequeueAfter: maxWait}, nil
		default: // The step writes something.
		}
		if err := r.execute(ctx, step, state, now); err != nil {
			return reconcile.Result{}, fmt.Errorf("renewing the webhook's certificate (%s): %w", step.Action, err)
		}
	}
	return reconcile.Result{}, errNoProgress
}

func (r *reconciler) read(ctx context.Context) (State, error) {
	var s State
	var err error
	secrets := r.client.CoreV1().Secrets(r.namespace)
	if s.CA, err = ignoreNotFound(secrets.Get(ctx, CASecret, metav1.GetOptions{})); err != nil {
		return s, err
	}
	if s.Serving, err = ignoreNotFound(secrets.Get(ctx, ServingSecret, metav1.GetOptions{})); err != nil {
		return s, err
	}
	configurations := r.client.AdmissionregistrationV1()
	if s.Configuration, err = ignoreNotFound(configurations.MutatingWebhookConfigurations().Get(ctx, Configuration, metav1.GetOptions{})); err != nil {
		return s, err
	}
	s.Validating, err = ignoreNotFound(configurations.ValidatingWebhookConfigurations().Get(ctx, Configuration, metav1.GetOptions{}))
	return s, err
}

// ignoreNotFound returns nil for an object that doesn't exist.
func ignoreNotFound[T any](object *T, err error) (*T, error) {
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, err
}

// now returns the API server's time as far as this machine knows it, because the
// API server verifies the certificates by its own clock.
func (r *reconciler) now(ctx context.Context, s State) time.Time {
	ahead := r.ahead()
	// The skew is reported as soon as there is a Secret for the event to be about.
	if skewed := ahead.Abs() > skewTolerance; skewed != r.reportedSkew && s.CA != nil {
		r.reportedSkew = skewed
		if skewed {
			message := messageClockSkewed(ahead)
			log.FromContext(ctx).Error(nil, message)
			r.event(ctx, s.CA, corev1.EventTypeWarning, reasonClockSkewed, message)
		} else {
			log.FromContext(ctx).Info(logClocksAgree)
		}
	}
	return r.clock.Now().Add(ahead)
}

func (r *reconciler) reportBlocker(ctx context.Context, s State, step Step) {
	if step.Blocker == r.reportedBlocker {
		return
	}
	r.reportedBlocker = step.Blocker
	if step.Blocker == "" {
		log.FromContext(ctx).Info(logUnblocked)
		return
	}
	log.FromContext(ctx).Error(nil, step.Blocker)
	regarding := s.Serving
	if regarding == nil {
		regarding = s.CA
	}
	r.event(ctx, regarding, corev1.EventTypeWarning, reasonCertificateBlocked, step.Blocker)
}

func (r *reconciler) report(ctx context.Context, regarding *corev1.Secret, reason, message string) {
	log.FromContext(ctx).Info(message)
	r.event(ctx, regarding, corev1.EventTypeNormal, reason, message)
}

// event publishes an event about a Secret, if it exists.
func (r *reconciler) event(ctx context.Context, regarding *corev1.Secret, eventType, reason, message string) {
	if regarding != nil {
		r.publish(ctx, Event{Secret: regarding, Type: eventType, Reason: reason, Note: message})
	}
}
