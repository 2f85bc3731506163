// Command bench compares isolate with its alternatives on real API servers and writes
// the results as a table and as JSON.
//
// Every figure has a control in the same run. The two alternate in rounds, so that
// other load slows down both; the spread of the rounds is part of the result. Nothing
// here fails because it is slow.
package main
