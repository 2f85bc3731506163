// Package selectors answers who selects a pod: it watches every kind of object
// whose selector binds pods, keeps of each only what a decision needs, and finds
// the matching ones at a cost that grows with the pod's labels, not with the
// number of objects.
//
// What is to be done about a match is decided in package quarantine.
package selectors
