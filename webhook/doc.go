// Package webhook is the admission adapter: it decodes a review, has package
// quarantine decide, and answers. It reads what the decision rests on and
// writes nothing, so a dry run shows the whole effect.
//
// No rule lives here, and no sentence but those about the webhook itself.
package webhook
