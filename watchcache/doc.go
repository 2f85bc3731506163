// Package watchcache mirrors one resource, and reports when the mirror may be stale.
//
// The resource is unknown until it has been read for the first time, and from the
// moment at which its watch ends until a successor stands. A successor that resumes
// where the watch ended stands once it has been open for settlePeriod without an
// error: an API server that can't resume says so at once, as the first event
// (410 Gone). After that, and after an interruption longer than maxInterruption, the
// resource is unknown until all of it has been read again.
//
// A connection that has gone silent ends its watches when the ping of its transport is
// not answered. So what is known is never older than the time in which that is
// noticed, apart from the API server's own delay.
//
// The package holds no objects. Each store keeps what its reader needs and no more.
package watchcache
