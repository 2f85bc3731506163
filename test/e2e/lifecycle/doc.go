// Package lifecycle tests the life of quarantined pods end to end: the built programs,
// the shipped manifests, a control plane with its controllers, and kubectl.
package lifecycle
