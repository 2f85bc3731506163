// Package waiting waits for conditions in tests. No test sleeps: it names what it
// waits for, and fails with that name when a generous deadline has passed.
package waiting
