// Package promises names the tests of each promise in docs/design.md that contains "never"
// or "always".
package promises
