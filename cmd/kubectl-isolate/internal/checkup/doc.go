// Package checkup finds out, with the caller's own rights, whether a quarantine would
// work, and says what to do where it would not. It changes nothing.
package checkup
