// Package kyverno runs Kyverno's admission controller and background controller with the
// policy of manifests/examples/kyverno. They run as processes, with the roles, the
// configuration and the flags of Kyverno's own installation manifest.
package kyverno
