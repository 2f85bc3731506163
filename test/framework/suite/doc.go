// Package suite is the one way to write a TestMain: it builds and starts what the
// tests of a package share, runs them, and stops everything again.
package suite
