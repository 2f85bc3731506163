// Package watchcache mirrors one resource, and reports when the mirror may be stale.
//
// The resource is unknown until it has been read for the first time. It becomes unknown
// again when its watch ends, until the next watch is confirmed. A watch that resumes where
// the last one ended is confirmed once it has been open for confirmPeriod without an
// error: an API server that can't resume it says so at once, in the first event (410
// Gone). After such an error, or without a watch for longer than maxInterruption, the
// resource is unknown until all of it has been read again.
//
// If a connection goes silent, its transport closes it because a ping gets no response,
// and that ends the watches. An API server that is itself behind is noticed by a [Heartbeat].
// So a decision on known resources is never based on anything older than [MaxAge].
//
// The package holds no objects. A store keeps an extract of each, which is made as soon as the
// object arrives: in a stream, or in a page of a list.
package watchcache
