// Package selectors looks up what selects a pod. It watches every kind of object
// that selects pods, keeps only what a decision needs, and finds the matching objects
// at a cost that grows with the pod's labels, not with the number of objects.
//
// Package quarantine decides what to do about a match.
package selectors
