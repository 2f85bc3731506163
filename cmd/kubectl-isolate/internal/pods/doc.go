// Package pods reads what the cluster says of quarantined pods, with the rights of
// the caller. It prints nothing and writes nothing.
package pods
