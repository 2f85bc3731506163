// Package sweeper tries the sweeper against a real API server: what is deleted,
// when, and how often, with clocks that are wrong, networks that fail and replicas
// that die.
//
// The webhook is not installed. The pods carry the record that it would have
// written, and no controller wants them back.
package sweeper
