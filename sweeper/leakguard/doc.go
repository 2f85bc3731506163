// Package leakguard is the controller that notices when something comes to select a
// quarantined pod, and makes the webhook detach the pod again.
package leakguard
