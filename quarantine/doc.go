// Package quarantine has the rules of isolate: what a write to a pod means for its
// isolation, and which changes to the pod follow.
//
// The package is pure. Metadata, selectors and a time go in, a [Decision] comes out. It
// has no client, no logger, no clock and no context: the caller reads what the decision
// needs, so that every rule is tested with nothing but values.
//
// The rows T1, T2, ... are those of the transition table in docs/design.md.
package quarantine
