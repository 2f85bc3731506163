// Package machine builds isolate's programs for machines whose clock is wrong: the programs as
// they are, with a time.Now that a file sets.
//
// Everything in such a program reads the wrong clock: decisions, leader election, TLS and
// logs. Only durations are right, as on a real machine, because Go measures them by a clock
// that nobody sets.
package machine
