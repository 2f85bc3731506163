// Package connections bounds what the webhook's connections can cost before they
// have proven useful. Anyone who reaches the port can open connections, and the API
// server does not authenticate by default, so nothing but a completed review tells
// its connections from a stranger's.
//
// A connection is pending until it has completed a review. Pending connections and
// all connections together are bounded. Beyond a bound the listener closes a
// connection and does not refuse the newest: of the remote host that has most of them,
// it closes the one from which nothing has arrived for the longest time. The API
// server sends a review as soon as it is connected, so that is not one of its own.
package connections
