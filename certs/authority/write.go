package authority

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionregistrationac "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"isolate.example.io/certs"
)

// fieldManager owns the fields that the authority writes.
const fieldManager = "isolate-certificates"

// execute executes every action but ActionWait and ActionBlocked, which write nothing.
func (r *reconciler) execute(ctx context.Context, step Step, s State, now time.Time) error {
	switch step.Action {
	case ActionCreateCA:
		return r.createCA(ctx, step, s, now)
	case ActionWriteBundle:
		return r.updateCA(ctx, s, step, reasonCARotated, messageBundleWritten(step.Cause), progress(&storedCA{}))
	case ActionRemoveOldCAs:
		return r.updateCA(ctx, s, step, reasonOldCARemoved, messageOldCARemoved(), progress(readCA(s.CA, now)))
	case ActionAnnotate:
		return r.updateCA(ctx, s, step, "", "", progress(&storedCA{trustedSince: step.TrustedSince, servedSince: step.ServedSince}))
	case ActionInject:
		return r.inject(ctx, s)
	case ActionIssue:
		return r.issue(ctx, step, s, now)
	default:
		return fmt.Errorf("action %s writes nothing", step.Action)
	}
}

func (r *reconciler) createCA(ctx context.Context, step Step, s State, now time.Time) error {
	ca, err := NewCA(now, r.config.CAValidity)
	if err != nil {
		return err
	}
	bundle, err := encode(step.Bundle)
	if err != nil {
		return err
	}
	secret := r.secret(CASecret, s.CA).WithAnnotations(progress(&storedCA{})).WithData(map[string][]byte{
		corev1.TLSCertKey: ca.CertPEM, corev1.TLSPrivateKeyKey: ca.KeyPEM, certs.CAFile: append(ca.CertPEM, bundle...),
	})
	written, err := r.apply(ctx, secret)
	if err == nil {
		r.report(ctx, written, reasonCARotated, messageCARotated(step.Cause, rfc3339(ca.Cert.NotAfter)))
	}
	return err
}

// updateCA writes the CA's Secret, without changing the CA's key and certificate.
func (r *reconciler) updateCA(ctx context.Context, s State, step Step, reason, message string, annotations map[string]string) error {
	bundle := s.CA.Data[certs.CAFile]
	if step.Bundle != nil {
		var err error
		if bundle, err = encode(step.Bundle); err != nil {
			return err
		}
	}
	written, err := r.apply(ctx, r.secret(CASecret, s.CA).WithAnnotations(annotations).WithData(map[string][]byte{
		corev1.TLSCertKey: s.CA.Data[corev1.TLSCertKey], corev1.TLSPrivateKeyKey: s.CA.Data[corev1.TLSPrivateKeyKey], certs.CAFile: bundle,
	}))
	if err == nil && message != "" {
		r.report(ctx, written, reason, message)
	}
	return err
}

func (r *reconciler) issue(ctx context.Context, step Step, s State, now time.Time) error {
	ca, err := parsePair(s.CA.Data[corev1.TLSCertKey], s.CA.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(now, r.config.DNSNames, nil, r.config.ServingValidity)
	if err != nil {
		return err
	}
	written, err := r.apply(ctx, r.secret(ServingSecret, s.Serving).WithData(map[string][]byte{
		corev1.TLSCertKey: leaf.CertPEM, corev1.TLSPrivateKeyKey: leaf.KeyPEM, certs.CAFile: ca.CertPEM,
	}))
	if err == nil {
		r.report(ctx, written, reasonCertificateRotated, messageCertificateRotated(step.Cause, rfc3339(leaf.Cert.NotAfter)))
	}
	return err
}

func (r *reconciler) inject(ctx context.Context, s State) error {
	client := admissionregistrationac.WebhookClientConfig().WithCABundle(s.CA.Data[certs.CAFile]...)
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	if s.Configuration != nil {
		configuration := admissionregistrationac.MutatingWebhookConfiguration(Configuration).WithResourceVersion(s.Configuration.ResourceVersion)
		for i := range s.Configuration.Webhooks {
			configuration.WithWebhooks(admissionregistrationac.MutatingWebhook().WithName(s.Configuration.Webhooks[i].Name).WithClientConfig(client))
		}
		if _, err := r.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Apply(ctx, configuration, options); err != nil {
			return err
		}
	}
	if s.Validating != nil {
		configuration := admissionregistrationac.ValidatingWebhookConfiguration(Configuration).WithResourceVersion(s.Validating.ResourceVersion)
		for i := range s.Validating.Webhooks {
			configuration.WithWebhooks(admissionregistrationac.ValidatingWebhook().WithName(s.Validating.Webhooks[i].Name).WithClientConfig(client))
		}
		if _, err := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Apply(ctx, configuration, options); err != nil {
			return err
		}
	}
	r.report(ctx, s.CA, reasonCABundleWritten, messageCABundleWritten())
	return nil
}

// secret returns the apply configuration of a Secret. An existing Secret keeps its
// type, which is immutable, and must have the resourceVersion that was read.
func (r *reconciler) secret(name string, old *corev1.Secret) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(name, r.namespace).WithType(corev1.SecretTypeTLS)
	if old != nil {
		secret.WithType(old.Type).WithResourceVersion(old.ResourceVersion)
	}
	return secret
}

// apply creates or updates a Secret. RBAC can restrict a create by name only if it
// is an apply.
func (r *reconciler) apply(ctx context.Context, secret *corev1ac.SecretApplyConfiguration) (*corev1.Secret, error) {
	return r.client.CoreV1().Secrets(r.namespace).Apply(ctx, secret, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
}
