// Package certificates tests where the webhook's certificate comes from, and that
// no admission is lost while it is replaced, on a local control plane with the
// real parts.
package certificates
