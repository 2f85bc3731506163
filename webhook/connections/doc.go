// Package connections bounds what connections to the webhook can cost. Anyone who reaches
// the port can open connections, and the API server does not authenticate by default, so
// only a completed review distinguishes its connections from others.
//
// A connection is pending until it has completed a review. Pending connections and all
// connections together are bounded. Beyond a bound, the listener accepts the new
// connection and closes another one: of the remote host with the most connections, the
// one from which nothing has arrived for the longest time. The API server sends a review
// as soon as it is connected, so its connections are not affected.
//
// The alert receiver uses the package too, for Alertmanager's requests: a request with the
// token is its review.
package connections
