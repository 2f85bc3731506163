// Package policies tests the shipped manifests on a real API server, without
// controllers and without nodes. It holds tests only: who is asked about a write,
// which writes the policies refuse and with what sentence, and what they cost.
package policies
