// Package availability tests that isolate is there when it is needed, and in
// nobody's way when it isn't: replicas that come and go, isolate's own pods
// quarantined, an installation removed and installed again.
package availability
