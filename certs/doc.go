// Package certs is about the certificate that the webhook serves with: where it
// comes from and how it is renewed. It knows nothing of pods.
package certs
