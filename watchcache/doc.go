// Package watchcache follows what the API server has of one resource, and knows
// when that can't be relied on: until it is read for the first time, and while
// it could not be read again.
//
// It holds no objects. Each store keeps what its reader needs and no more.
package watchcache
