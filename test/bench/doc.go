// Command bench measures isolate beside its alternatives, on a real API server of
// its own, and writes the results as a table and as JSON.
//
// Every figure has a control in the same run. The two take turns, round by round,
// so that what slows the machine down for a while slows down both; how far the
// rounds differ is part of the result. Nothing here fails for being slow.
package main
