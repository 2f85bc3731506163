// Package figures holds and prints the results of the benchmarks: figures with their
// controls, round by round, their spread and their goals.
package figures
