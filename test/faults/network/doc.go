// Package network puts a TCP proxy between two programs, which delays, limits, stops or
// cuts what they send to each other.
//
// It is a package of this repository because a library such as Toxiproxy adds an HTTP API
// and its dependencies to the product's go.mod, and can't stop a connection and later let
// it continue, as a network does.
package network
