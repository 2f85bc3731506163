package doctor

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Names of what isolate's manifests install.
const (
	DefaultNamespace     = "isolate-system"
	WebhookConfiguration = "isolate"
	WebhookDeployment    = "isolate-webhook"
)

// Installation is where isolate is installed.
type Installation struct {
	// Namespace is isolate's namespace, or the default if the configuration can't be read.
	Namespace string

	// Configuration is the webhook configuration, nil if it can't be read; Err says why.
	Configuration *admissionregistrationv1.MutatingWebhookConfiguration
	Err           error
}

// FindInstallation looks for isolate.
func FindInstallation(ctx context.Context, client kubernetes.Interface) Installation {
	found := Installation{Namespace: DefaultNamespace}
	configuration, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, WebhookConfiguration, metav1.GetOptions{})
	if err != nil {
		found.Err = err
		return found
	}
	found.Configuration = configuration
	for i := range configuration.Webhooks {
		if service := configuration.Webhooks[i].ClientConfig.Service; service != nil {
			found.Namespace = service.Namespace
		}
	}
	return found
}
