// Package checkup finds out, with the caller's own rights, whether a quarantine would
// work, and what to do if it would not. It changes nothing.
package checkup
