// Package figures is what a benchmark found: figures beside those of their
// controls, round by round, how stable they are, and what they should be.
package figures
