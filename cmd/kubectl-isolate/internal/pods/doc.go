// Package pods reads the state of quarantined pods from the cluster, with the permissions of the
// caller. It prints nothing and writes nothing.
package pods
