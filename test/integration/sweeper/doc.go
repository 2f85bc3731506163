// Package sweeper tests the sweeper against a real API server: which pods it deletes,
// when and how often, while clocks are wrong, networks fail and replicas are killed.
//
// The webhook is not installed. The tests write the record themselves, and no controller
// adopts the pods.
package sweeper
