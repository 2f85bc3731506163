// Package manifests builds the shipped kustomizations for the tests: what is
// shipped is what is tested, never a copy. It changes nothing in them.
package manifests
