// Package startupscan reads all pods of the cluster once, when a sweeper becomes the
// leader, for what the cache of quarantined pods can't show: triggers that were set while
// isolate was not installed, and records without the label.
package startupscan
