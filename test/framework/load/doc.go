// Package load keeps isolate's webhook busy: many writers ask for one admission
// after the other, and what is lost is counted.
package load
