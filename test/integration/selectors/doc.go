// Package selectors tries the watcher of package isolate.example.io/selectors
// against a real API server: what it knows of each kind as objects come, change
// and go, and that it says so when it can't know.
//
// No controllers run. The tests write the statuses that controllers would.
package selectors
