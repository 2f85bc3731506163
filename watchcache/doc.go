// Package watchcache mirrors one resource of the API server and reports when the
// mirror may be stale: before the first list, and while a list or a watch fails.
//
// It holds no objects. Each store keeps only what its reader needs.
package watchcache
