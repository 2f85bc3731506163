// Package upgrade tests the way from the release before to this one, and back, with the
// programs and manifests of both: testdata has those of the release before.
package upgrade
