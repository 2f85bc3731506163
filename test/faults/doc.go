// Package faults tests what isolate promises while something fails: a network that delays,
// stops or cuts, programs that are paused or killed, and clients that lie.
//
// The tests of one fault each say what must happen. The random scenarios combine faults with
// people's requests, and check invariants that no fault may break. A scenario is repeated by
// its seed.
package faults
