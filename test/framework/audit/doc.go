// Package audit configures and reads the audit log of an API server, the only
// complete account of what programs requested.
package audit
