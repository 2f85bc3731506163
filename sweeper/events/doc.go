// Package events publishes what isolate does as Kubernetes events: on pods, on their
// former controllers and on the Secrets of the webhook's certificate.
//
// Each controller has functions that return an [Event] as data. This package gives the
// event its identity and creates it in the background, after the deletions. It knows no
// controller and no pod.
package events
