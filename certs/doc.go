// Package certs provides the certificate that the webhook serves with, from the
// files of a mounted Secret. Package authority issues that certificate in clusters
// without cert-manager, and only the sweeper links it.
package certs
