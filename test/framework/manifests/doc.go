// Package manifests builds the shipped kustomizations, unchanged, so that the tests
// run against what is shipped and never against a copy.
package manifests
