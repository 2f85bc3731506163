// Package faketime has clocks that tests set while a program runs: of its machine, and of
// the API server as the program sees it.
package faketime
