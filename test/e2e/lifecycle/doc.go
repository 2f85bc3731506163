// Package lifecycle tests isolate as it runs: the built programs, the shipped
// manifests, a control plane with its controllers, and kubectl.
package lifecycle
