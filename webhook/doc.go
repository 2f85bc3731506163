// Package webhook is the admission adapter: it decodes a review, calls package
// quarantine for the decision, and responds. It reads what the decision depends on
// and writes nothing, so a dry run shows the whole effect.
//
// The rules are in package quarantine, and so are all messages except those about the
// webhook itself.
package webhook
