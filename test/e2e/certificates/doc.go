// Package certificates tests the sources of the webhook's certificate on a local
// control plane, and that no admission is lost while the certificate or its CA rotates.
package certificates
