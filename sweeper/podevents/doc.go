// Package podevents is the controller that publishes the life of each quarantined pod as
// events. (The events of a deletion, a leak and a missing replacement belong to the
// controllers that find them.)
package podevents
