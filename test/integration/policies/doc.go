// Package policies tests the shipped admission manifests on a real API server without
// controllers or nodes: which writes reach the webhook, which writes the policies
// deny and with what message, and what the expressions cost.
package policies
