// Package expiration is the controller that deletes quarantined pods when they expire.
package expiration
