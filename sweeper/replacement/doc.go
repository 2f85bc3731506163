// Package replacement is the controller that checks, some time after each quarantine,
// whether the pod's former controller has all its pods again.
package replacement
