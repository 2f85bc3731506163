// Package clocks measures the API server's time and compares this machine's clock with it.
// The webhook stamps pods by the API server's time, and the sweeper deletes a pod when
// both clocks have reached its expiry. The package knows no pod.
package clocks
