// Package quarantinedpods is the sweeper's view of the quarantined pods: the cache that
// holds their metadata, the way to run a controller over it, and what several
// controllers ask about a pod. It knows none of these controllers.
package quarantinedpods
