// Package quarantine holds the rules: what an admission of a pod means for its
// isolation, and which changes to the pod follow.
//
// It is pure. Metadata, selectors and a time go in, a [Decision] comes out. No
// client, no logger, no clock and no context live here: whoever calls it has
// fetched what the decision rests on, so that every rule can be tried with
// nothing but values.
package quarantine
