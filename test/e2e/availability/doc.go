// Package availability tests that isolate stays available, and that it blocks nobody
// when it is not: rolling restarts, isolate's own pods quarantined, removal and
// reinstallation, upgrades.
package availability
