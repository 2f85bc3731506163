// Package contract runs docs/tools.md: every program on the page, as the page has it, and the
// answers that the page promises.
package contract
