package clocks

import "errors"

const (
	logSkewed = "The local clock and the API server's clock differ; isolate stamps pods by the API server's clock, and deletes them when both have reached the expiry. " +
		"Check the node's time synchronization"
	logInSync       = "The local clock and the API server's clock agree again"
	logUncomparable = "Could not read the API server's time; retrying"
)

var (
	errNoDate   = errors.New("the API server's responses have no Date header, so isolate can't tell its time")
	errNotKnown = errors.New("the API server has not told its time for 15 seconds")
)
