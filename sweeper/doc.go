// Package sweeper adds isolate's controllers to a manager. They delete quarantined pods
// when they expire and are the only part of isolate that writes to the cluster by itself.
// None of them quarantines, extends or releases a pod: only an admission does.
//
// Each controller is a package that knows no other controller:
//
//   - expiration deletes expired pods
//   - leakguard makes the webhook detach a pod again if something comes to select it
//   - podevents publishes the life of each pod as events
//   - replacement checks that a pod's former controller has all its pods again
//   - startupscan finds what the cache of quarantined pods can't show
//
// What several of them need is a package that knows none of them: quarantinedpods (the
// cache), clocksteps (when a clock was set), deletions (which pods is isolate deleting) and
// events (publishing). The verdict on a pod is in package quarantine, beside the record.
package sweeper
