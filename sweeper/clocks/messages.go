package clocks

import "errors"

const (
	logSkewed       = "The local clock and the API server's clock differ; isolate deletes a pod when both have reached its expiry. Check the node's time synchronization"
	logInSync       = "The local clock and the API server's clock agree again"
	logStepped      = "A clock was set; checking all quarantined pods again"
	logUncomparable = "Could not compare the clocks; retrying"
)

var errNoTime = errors.New("the API server's responses have no Date header, so isolate can't tell its time and deletes nothing")
