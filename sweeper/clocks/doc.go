// Package clocks tells the time by two clocks together, this machine's and the API
// server's, and notices when one of them is set. It knows no controller and no pod.
package clocks
