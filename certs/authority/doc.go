// Package authority is the self-signed certificate authority that the sweeper runs
// in clusters without cert-manager. It keeps a CA, the webhook's serving
// certificate and the caBundle of the webhook configuration, and rotates them
// without losing an admission.
package authority
