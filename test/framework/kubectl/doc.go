// Package kubectl runs the built kubectl in tests, as a person does.
package kubectl
