// Package selectors tests the watcher of package isolate.example.io/selectors against
// a real API server: that it follows every selecting kind, and that it reports an
// error when it can't.
//
// No controllers run. The tests write the status in their place.
package selectors
