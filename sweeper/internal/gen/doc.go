// Package gen builds quarantined pods, as metadata, for the unit tests of the sweeper's
// packages.
package gen
